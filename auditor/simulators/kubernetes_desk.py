"""The small cluster's front desk: who is it, may they, and who answers; knows nothing of sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from auditor.simulators.kubernetes_answers import (
    Answer,
    Refused,
    document,
    encode,
    failure,
    internal_error,
    no_such_object,
    no_such_page,
    no_such_resource,
    not_acceptable,
    not_allowed,
    too_many,
    unauthorized,
    unavailable,
)
from auditor.simulators.kubernetes_discovery import discover
from auditor.simulators.kubernetes_faults import Trouble
from auditor.simulators.kubernetes_identities import Identities, Identity
from auditor.simulators.kubernetes_kinds import Kind
from auditor.simulators.kubernetes_lists import empty_page, expired_answer, list_page, partial
from auditor.simulators.kubernetes_rbac import decide
from auditor.simulators.kubernetes_requests import Asked
from auditor.simulators.kubernetes_reviews import review
from auditor.simulators.kubernetes_store import Store
from auditor.simulators.kubernetes_watch import watch

_BODIES = {
    "garbage": b'{"kind":"List","items":[{"metadata":{"name":"\xff\xfe<html>',
    "no_list": b'{"kind":"List","metadata":{},"items":7}',
    "no_members": b'{"kind":"List","metadata":{},"items":[7]}',
}
"""What a trouble answers instead, under 200."""


class Headers(Protocol):
    """A request's headers by name, whatever the case."""

    def get(self, name: str, /) -> str | None:
        """The header, or None."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that comes line by line."""

    lines: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers requests about one cluster."""

    store: Store
    identities: Identities
    stopping: Event
    address: str

    def answer(self, asked: Asked, headers: Headers, body: bytes, trouble: Trouble | None = None) -> Answer | Stream:
        """The answer to a request: identity first, then fairness, then permission, then the thing itself."""
        action = trouble.action if trouble else None
        who = self.identities.of(headers.get("Authorization"))
        if who is None or action == "unauthorized":
            return unauthorized()
        if trouble and action == "throttle":
            return too_many(trouble.retry_after)
        if trouble and action == "unavailable":
            return unavailable(trouble.retry_after)
        if action == "deny" or not decide(self.store, who, asked).allowed:
            return _forbidden(who, asked)
        if action in _BODIES:
            return Answer(200, _BODIES[action])
        if action == "broken":
            return internal_error()
        try:
            return self._about(asked, who, headers.get("Accept") or "", body, action)
        except Refused as refused:
            return refused.answer

    def _about(self, asked: Asked, who: Identity, accept: str, body: bytes, action: str | None) -> Answer | Stream:
        kinds = self.store.kinds
        if not asked.is_resource:
            if asked.verb != "get":
                return not_allowed()
            return discover(kinds, asked.path, self.address, verbose="verbose" in asked.query)
        kind = asked.kind(kinds)
        if kind is None:
            known = any((one.group, one.version) == (asked.group, asked.version) for one in kinds)
            return no_such_resource() if known else no_such_page()
        if kind.verbs == ("create",):
            return review(self.store, who, kind.resource, body) if asked.verb == "create" else not_allowed()
        if asked.verb not in {"get", "list", "watch"}:
            return not_allowed()
        if asked.subresource:
            return no_such_resource()
        metadata_only = _wants_metadata(accept)
        if asked.verb == "watch":
            gone = action in {"expire", "expire_hard"}
            lines = watch(self.store, kind, asked, self.stopping, metadata_only=metadata_only, gone=gone)
            return Stream(lines)
        if asked.verb == "list":
            return self._list(kind, asked, action, metadata_only=metadata_only)
        return self._object(kind, asked, metadata_only=metadata_only)

    def _list(self, kind: Kind, asked: Asked, action: str | None, *, metadata_only: bool) -> Answer:
        if action in {"expire", "expire_hard"}:
            return expired_answer(kind, asked, fresh=action == "expire")
        if action == "empty_page" and not asked.query.get("continue"):
            return empty_page(self.store, kind, asked, metadata_only=metadata_only)
        return list_page(self.store, kind, asked, metadata_only=metadata_only)

    def _object(self, kind: Kind, asked: Asked, *, metadata_only: bool) -> Answer:
        stored = self.store.find(kind, asked.namespace if kind.namespaced else "", asked.name)
        if stored is None:
            return no_such_object(kind, asked.name)
        return Answer(200, encode(partial(stored)) if metadata_only else stored.typed)


def _wants_metadata(accept: str) -> bool:
    """Whether metadata alone is wanted, by the first alternative that can be served.

    Raises:
        Refused: None can; Table and the binary form are among these.
    """
    for alternative in accept.split(",") if accept else ["*/*"]:
        media, *told = (part.strip() for part in alternative.split(";"))
        parameters = dict(one.partition("=")[::2] for one in told)
        if media in {"application/json", "application/*", "*/*"}:
            form = parameters.get("as", "")
            if form in {"PartialObjectMetadata", "PartialObjectMetadataList"}:
                return True
            if not form:
                return False
    raise Refused(not_acceptable())


def _forbidden(who: Identity, asked: Asked) -> Answer:
    if not asked.is_resource:
        message = f'forbidden: User "{who.user}" cannot {asked.verb} path "{asked.path}"'
        return document(failure(403, "Forbidden", message, details={}), 403)
    subject = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    if asked.name:
        subject += f' "{asked.name}"'
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    message = (
        f'{subject} is forbidden: User "{who.user}" cannot {asked.verb} resource "{asked.combined}" '
        f'in API group "{asked.group}" {place}'
    )
    details = ({"name": asked.name} if asked.name else {}) | ({"group": asked.group} if asked.group else {})
    return document(failure(403, "Forbidden", message, details={**details, "kind": asked.resource}), 403)
