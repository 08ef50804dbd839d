"""What the small cluster answers: JSON, text, and the Status bodies of its refusals, word for word as a 1.36 server's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.simulators.kubernetes_kinds import Kind

JSON, TEXT = "application/json", "text/plain; charset=utf-8"
TOO_OLD_TO_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter."
)
TOO_OLD_BUT = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted "
    "between the time the first chunk was returned and now may show up in the list."
)
NOT_ACCEPTABLE = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
    "application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, ready to be sent."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818  (an answer of the cluster, not an error of ours)
    """A request that ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def document(body: Any, status: int = 200) -> Answer:
    """An answer of JSON."""
    return Answer(status, encode(body))


def encode(body: Any) -> bytes:
    """JSON as the server writes it."""
    return json.dumps(body, separators=(",", ":")).encode()


def text(body: str, status: int = 200) -> Answer:
    """An answer of plain text."""
    return Answer(status, body.encode(), TEXT)


def failure(
    code: int,
    reason: str,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    next_token: str = "",
) -> dict[str, Any]:
    """The body of a refusal."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {"continue": next_token} if next_token else {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    return body | ({} if details is None else {"details": dict(details)}) | {"code": code}


def unauthorized() -> Answer:
    """Nobody we know."""
    return document(failure(401, "Unauthorized", "Unauthorized"), 401)


def bad_request(message: str) -> Answer:
    """A request that cannot be understood."""
    return document(failure(400, "BadRequest", message), 400)


def no_such_object(kind: Kind, name: str) -> Answer:
    """The kind exists, the object does not."""
    details = {"name": name} | ({"group": kind.group} if kind.group else {}) | {"kind": kind.resource}
    return document(failure(404, "NotFound", f'{kind.qualified} "{name}" not found', details=details), 404)


def no_such_resource() -> Answer:
    """The group exists, the resource does not."""
    message = "the server could not find the requested resource"
    return document(failure(404, "NotFound", message, details={}), 404)


def no_such_page() -> Answer:
    """Nothing answers for this path, not even with JSON: so looks a group that is not served."""
    return text("404 page not found\n", 404)


def not_acceptable() -> Answer:
    """Nothing that the client would take."""
    return document(failure(406, "NotAcceptable", NOT_ACCEPTABLE, details={}), 406)


def not_allowed() -> Answer:
    """A verb that this cluster does not have: it is changed by tests, not by clients."""
    message = "the server does not allow this method on the requested resource"
    return document(failure(405, "MethodNotAllowed", message, details={}), 405)


def not_simulated(what: str) -> Answer:
    """Something that a real server knows and this one does not: said aloud, never ignored."""
    message = f"the small cluster does not know {what}"
    return document(failure(501, "NotImplemented", message, details={}), 501)


def expired(next_token: str = "") -> Answer:
    """A continue token whose version is gone, with a fresh one for the rest or without."""
    message = TOO_OLD_BUT if next_token else TOO_OLD_TO_CONTINUE
    return document(failure(410, "Expired", message, next_token=next_token), 410)


def too_many(seconds: int) -> Answer:
    """Asked too fast; the real server's fairness filter says so in plain text."""
    answer = text("Too many requests, please try again later.\n", 429)
    return Answer(answer.status, answer.body, answer.content_type, {"Retry-After": str(seconds)})


def internal_error() -> Answer:
    """Something behind the server is away."""
    return document(failure(500, "InternalError", "Internal error occurred: etcdserver: no leader"), 500)


def unavailable(seconds: int) -> Answer:
    """Cannot answer at the moment."""
    message = "the server is currently unable to handle the request"
    body = failure(503, "ServiceUnavailable", message, details={"retryAfterSeconds": seconds})
    return Answer(503, encode(body), JSON, {"Retry-After": str(seconds)})
