"""The small cluster's memory: objects under one growing version, what changed since, and views that stand still.

Tests change the world here; the server only reads. A version is a number for the whole cluster that grows with every
change, as in etcd; objects and lists carry it as text.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Condition, RLock
from typing import Any, Literal
from uuid import UUID, uuid5

from auditor.simulators.kubernetes_kinds import Kind, Kinds

_IDS = UUID("6f1f5b0e-6f5e-5c0a-9d4f-2f1c7a3e9b10")
_VIEWS_KEPT = 64
_SILENT = ("metadata", "status", "apiVersion", "kind")  # what a change to does not raise the generation


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as it stood at a version; ``encoded`` is its form in a list, where built-in kinds leave out their type."""

    kind: Kind
    namespace: str
    name: str
    version: int
    document: Mapping[str, Any] = field(repr=False)
    encoded: bytes = field(repr=False)

    @property
    def key(self) -> str:
        """Where it stands among its kind; lists are in this order."""
        return f"{self.namespace}/{self.name}"

    @property
    def typed(self) -> bytes:
        """The object alone, with its kind and apiVersion in front."""
        if self.kind.custom:
            return self.encoded
        head = json.dumps({"kind": self.kind.kind, "apiVersion": self.kind.api_version}, separators=(",", ":"))
        return head.encode()[:-1] + b"," + self.encoded[1:]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an object, as watches tell it."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Stored


@dataclass(frozen=True, slots=True)
class View:
    """All objects of a kind (in one namespace or in all) as they stood at a version, in the order of their keys."""

    version: int
    items: tuple[Stored, ...]

    def after(self, key: str) -> int:
        """The place of the first object at or behind ``key``."""
        return bisect_left(self.items, key, key=lambda one: one.key)


class Store:
    """The objects of a cluster; safe for many threads. ``changed`` is notified with every change."""

    def __init__(self, clock: Callable[[], datetime], *, first_version: int = 1000) -> None:
        self.kinds = Kinds()
        self._clock = clock
        self._lock = RLock()
        self.changed = Condition(self._lock)
        self._version = first_version
        self._oldest = first_version
        self._objects: dict[Kind, dict[str, Stored]] = {}
        self._changes: list[Change] = []
        self._sorted: dict[tuple[Kind, str], tuple[Stored, ...]] = {}
        self._views: OrderedDict[tuple[Kind, str, int], View] = OrderedDict()

    @property
    def version(self) -> int:
        """The version of the cluster as it stands."""
        return self._version

    @property
    def oldest(self) -> int:
        """Watches may start here or later."""
        return self._oldest

    def put(self, document: Mapping[str, Any], *, manager: str = "meadowbrook-deploy") -> dict[str, Any]:
        """Create or replace an object, and answer it as it is stored.

        What a server adds is added: uid, version, creation time, generation, and the managedFields that make half of
        a real object. Nothing is checked and no field of the spec gets its default.
        """
        given: dict[str, Any] = json.loads(json.dumps(document))
        with self._lock:
            kind = self.kinds.of(given)
            meta = given.setdefault("metadata", {})
            namespace = str(meta.get("namespace", "")) if kind.namespaced else ""
            if kind.namespaced and not namespace:
                raise ValueError(f"{kind.kind} {meta.get('name')!r} needs a namespace")
            before = self._objects.get(kind, {}).get(f"{namespace}/{meta['name']}")
            self._version += 1
            self._settle(kind, given, before, manager)
            stored = _stored(kind, namespace, given, self._version)
            self._remember(Change(self._version, "MODIFIED" if before else "ADDED", stored))
            if kind.resource == "customresourcedefinitions":
                self.kinds.define(given)
            return _typed(stored)

    def patch(
        self,
        kind: str,
        name: str,
        change: Mapping[str, Any],
        *,
        namespace: str = "",
        manager: str = "",
        subresource: str = "",
    ) -> dict[str, Any]:
        """Merge ``change`` into an object (RFC 7386: null takes away, lists are replaced) and answer the outcome.

        A ``manager`` gets an entry of its own for what it wrote, through a ``subresource`` if it names one.
        """
        with self._lock:
            document = self.get(kind, name, namespace=namespace)
            if document is None:
                raise LookupError(f"no {kind} {namespace}/{name}")
            if manager:
                through = {"subresource": subresource} if subresource else {}
                written = {"fieldsType": "FieldsV1", "fieldsV1": _owned(change), **through}
                entry = {"manager": manager, "operation": "Update", "time": self._now(), **written}
                document["metadata"]["managedFields"].append(entry)
            return self.put(_merged(document, change))

    def delete(self, kind: str, name: str, *, namespace: str = "") -> None:
        """Take an object away; with a namespace goes everything in it."""
        with self._lock:
            which = self.kinds.named(kind)
            before = self._objects.get(which, {}).get(f"{namespace}/{name}")
            if before is None:
                raise LookupError(f"no {kind} {namespace}/{name}")
            if which.resource == "namespaces":
                for inner in [one for kept in self._objects.values() for one in kept.values() if one.namespace == name]:
                    self.delete(inner.kind.qualified, inner.name, namespace=name)
            self._version += 1
            document = {**before.document, "metadata": {**before.document["metadata"]}}
            document["metadata"]["resourceVersion"] = str(self._version)
            self._remember(Change(self._version, "DELETED", _stored(which, before.namespace, document, self._version)))
            if which.resource == "customresourcedefinitions":
                self.kinds.undefine(before.document)

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """A copy of an object with its kind and apiVersion, or None."""
        stored = self.find(self.kinds.named(kind), namespace, name)
        return _typed(stored) if stored else None

    def find(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        """The object at this place, or None."""
        with self._lock:
            return self._objects.get(kind, {}).get(f"{namespace}/{name}")

    def documents(self, kind: str, *, namespace: str = "") -> tuple[Mapping[str, Any], ...]:
        """All objects of a kind, not copied: for readers."""
        return tuple(one.document for one in self.view(self.kinds.named(kind), namespace).items)

    def view(self, kind: Kind, namespace: str = "") -> View:
        """What there is now; an empty namespace means all."""
        with self._lock:
            if (kind, namespace) not in self._sorted:
                found = (one for one in self._objects.get(kind, {}).values() if namespace in {"", one.namespace})
                self._sorted[kind, namespace] = tuple(sorted(found, key=lambda one: one.key))
            return View(self._version, self._sorted[kind, namespace])

    def hold(self, kind: Kind, namespace: str, view: View) -> None:
        """Keep a view, so that later pages of a listing are of one version with the first."""
        with self._lock:
            self._views[kind, namespace, view.version] = view
            while len(self._views) > _VIEWS_KEPT:
                self._views.popitem(last=False)

    def held(self, kind: Kind, namespace: str, version: int) -> View | None:
        """The view that was kept, or None if it was forgotten meanwhile."""
        with self._lock:
            return self._views.get((kind, namespace, version))

    def compact(self) -> None:
        """Forget the past: running listings expire, and watches from an older version meet 410."""
        with self._lock:
            self._views.clear()
            self._changes.clear()
            self._oldest = self._version
            self.changed.notify_all()

    def since(self, kind: Kind, namespace: str, version: int) -> tuple[Change, ...] | None:
        """What happened to a kind after ``version``, or None if that is forgotten."""
        with self._lock:
            if version < self._oldest:
                return None
            newer = self._changes[bisect_left(self._changes, version + 1, key=lambda change: change.version) :]
            return tuple(one for one in newer if one.object.kind == kind and namespace in {"", one.object.namespace})

    def _settle(self, kind: Kind, given: dict[str, Any], before: Stored | None, manager: str) -> None:
        """Add what a server adds."""
        meta = given["metadata"]
        now = self._now()
        known = before.document["metadata"] if before else {}
        place = f"{kind.qualified}/{meta.get('namespace', '')}/{meta['name']}/{self._version}"
        meta["uid"] = known.get("uid") or meta.get("uid") or str(uuid5(_IDS, place))
        meta["creationTimestamp"] = known.get("creationTimestamp") or meta.get("creationTimestamp") or now
        meta["resourceVersion"] = str(self._version)
        if "spec" in given:
            generation = int(known.get("generation", 0))
            meta["generation"] = generation + (before is None or _intent(given) != _intent(before.document))
        if kind.resource == "namespaces":
            meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
        if "managedFields" not in meta:
            fields = _owned({key: value for key, value in given.items() if key not in {"kind", "apiVersion"}})
            for own in ("f:uid", "f:resourceVersion", "f:creationTimestamp", "f:generation", "f:name", "f:namespace"):
                fields["f:metadata"].pop(own, None)
            entry = {"manager": manager, "operation": "Update", "apiVersion": kind.api_version, "time": now}
            meta["managedFields"] = [{**entry, "fieldsType": "FieldsV1", "fieldsV1": fields}]

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _remember(self, change: Change) -> None:
        one = change.object
        kept = self._objects.setdefault(one.kind, {})
        if change.type == "DELETED":
            kept.pop(one.key, None)
        else:
            kept[one.key] = one
        self._sorted.pop((one.kind, ""), None)
        self._sorted.pop((one.kind, one.namespace), None)
        self._changes.append(change)
        self.changed.notify_all()


def _stored(kind: Kind, namespace: str, document: Mapping[str, Any], version: int) -> Stored:
    # Built-in kinds leave their type to the list; custom resources repeat it in every item.
    dropped = set() if kind.custom else {"kind", "apiVersion"}
    body = {key: value for key, value in document.items() if key not in dropped}
    encoded = json.dumps(body, separators=(",", ":")).encode()
    return Stored(kind, namespace, str(document["metadata"]["name"]), version, body, encoded)


def _typed(stored: Stored) -> dict[str, Any]:
    typed = {"apiVersion": stored.kind.api_version, "kind": stored.kind.kind}
    copy: dict[str, Any] = {**typed, **json.loads(stored.encoded)}
    return copy


def _intent(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in _SILENT}


def _merged(old: Any, change: Any) -> Any:
    if not isinstance(change, Mapping):
        return change
    merged = dict(old) if isinstance(old, Mapping) else {}
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _owned(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object in the form that ``managedFields`` names them."""
    owned: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            owned[f"f:{key}"] = _owned(inner)
        elif isinstance(inner, list) and inner and all(isinstance(one, Mapping) and "name" in one for one in inner):
            owned[f"f:{key}"] = {f'k:{{"name":"{one["name"]}"}}': {".": {}, **_owned(one)} for one in inner}
        else:
            owned[f"f:{key}"] = {}
    return owned
