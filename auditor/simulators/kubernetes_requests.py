"""What a request asks for, read from its method, path and query as the real server reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from auditor.simulators.kubernetes_kinds import Kind, Kinds

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TRUE = {"1", "true", "True", "TRUE", "t", "T"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in the terms that roles are written in; a ``path`` alone is a non-resource request."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_resource(self) -> bool:
        """Whether it is about objects."""
        return bool(self.resource)

    @property
    def combined(self) -> str:
        """The resource with its subresource, such as ``pods/log``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def template(self) -> str:
        """The path with its names left open, such as ``/api/v1/namespaces/{namespace}/pods``."""
        if not self.is_resource:
            return self.path
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.resource != "namespaces" and self.namespace:
            parts += ["namespaces", "{namespace}"]
        parts.append(self.resource)
        parts += [part for part, told in (("{name}", self.name), (self.subresource, self.subresource)) if told]
        return "/".join(parts)

    def kind(self, kinds: Kinds) -> Kind | None:
        """The kind of object it is about, or None if there is none at this place."""
        found = kinds.get(self.group, self.version, self.resource)
        astray = found is not None and self.namespace and self.resource != "namespaces" and not found.namespaced
        return None if astray else found


def read_request(method: str, target: str) -> Asked:
    """What is asked; names are told apart from kinds by their place, as no list of kinds is at hand here."""
    split = urlsplit(target)
    query = {key: values[0] for key, values in parse_qs(split.query, keep_blank_values=True).items()}
    parts = [unquote(part) for part in split.path.split("/") if part]
    verb = _VERBS.get(method, method.lower())
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Asked(verb, split.path, query=query)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        # ``namespaces/shop`` is the namespace itself, ``namespaces/shop/status`` a part of it, the rest is inside it.
        if len(rest) > 2 and rest[2] not in {"status", "finalize"}:
            rest = rest[2:]
    resource, name, subresource = (*rest, "", "")[:3]
    if not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
        field_name = query.get("fieldSelector", "")
        if verb == "list" and field_name.startswith("metadata.name=") and "," not in field_name:
            name = field_name.removeprefix("metadata.name=").removeprefix("=")
    if verb in {"list", "get"} and query.get("watch", "") in _TRUE:
        verb = "watch"
    return Asked(verb, split.path, group, version, resource, subresource, namespace, name, query)
