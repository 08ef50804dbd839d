"""Errors worded as AWS words them, in the protocol of the call.

A client must not be able to tell the emulator's refusals from AWS's own: status, code, envelope and header are those
that botocore parses into ``ClientError``. What moto lacks gets a code of ours with status 400, which no client retries.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from xml.sax.saxutils import escape

from auditor.simulators.operations import Call

ACCOUNT = "123456789012"
AUDITOR_ARN = f"arn:aws:iam::{ACCOUNT}:user/auditor"
NOT_IMPLEMENTED = "NotImplementedInEmulator"
_REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def denied(call: Call) -> Answer:
    """The refusal AWS gives when the caller's policies do not allow the action."""
    reason = (
        f"User: {AUDITOR_ARN} is not authorized to perform: {call.action} on resource: {call.resource} "
        f"because no identity-based policy allows the {call.action} action"
    )
    if call.protocol == "ec2":
        return error(call, "UnauthorizedOperation", f"You are not authorized to perform this operation. {reason}", 403)
    if call.protocol in {"query", "rest-xml"}:
        return error(call, "AccessDenied", reason, 403)
    return error(call, "AccessDeniedException", reason, 400 if call.protocol == "json" else 403)


def throttled(call: Call) -> Answer:
    """The refusal AWS gives to a client that asks too fast; clients retry it."""
    if call.protocol == "ec2":
        return error(call, "RequestLimitExceeded", "Request limit exceeded.", 503)
    if call.service == "s3":
        return error(call, "SlowDown", "Please reduce your request rate.", 503)
    if call.protocol in {"query", "rest-xml"}:
        return error(call, "Throttling", "Rate exceeded", 400)
    return error(call, "ThrottlingException", "Rate exceeded", 400)


def not_implemented(call: Call, detail: str = "") -> Answer:
    """The answer to what the emulator lacks: a 400, because clients retry a 500 and hide the cause."""
    what = f"{call.name} is not implemented by the emulator" + (f": {detail}" if detail else "")
    return error(call, NOT_IMPLEMENTED, what, 400)


def error(call: Call, code: str, message: str, status: int) -> Answer:
    """An error answer in the protocol of the call."""
    if call.method == "HEAD":
        return Answer(status, (("Content-Length", "0"),), b"")
    if call.protocol == "json":
        return _json(status, "application/x-amz-json-1.1", {"__type": code, "message": message}, code)
    if call.protocol == "rest-json":
        return _json(status, "application/json", {"message": message}, code)
    if call.protocol == "cbor":
        body = _cbor({"__type": code, "message": message})
        return Answer(status, (("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")), body)
    return Answer(status, (("Content-Type", "text/xml"),), _xml(call, code, message).encode())


def xml(call: Call, inner: str) -> Answer:
    """A successful answer of the EC2 protocol around some XML."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><{call.operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>{_REQUEST_ID}</requestId>{inner}</{call.operation}Response>"
    )
    return Answer(200, (("Content-Type", "text/xml"),), body.encode())


def plain_json(document: object) -> Answer:
    """A successful answer of the JSON protocols."""
    return Answer(200, (("Content-Type", "application/x-amz-json-1.1"),), json.dumps(document).encode())


def _json(status: int, content_type: str, document: object, code: str) -> Answer:
    headers = (("Content-Type", content_type), ("x-amzn-errortype", code), ("x-amzn-requestid", _REQUEST_ID))
    return Answer(status, headers, json.dumps(document).encode())


def _xml(call: Call, code: str, message: str) -> str:
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    if call.protocol == "ec2":
        return f"{head}<Response><Errors><Error>{inner}</Error></Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
    if call.service == "s3":
        where = f"<Resource>{escape(call.resource)}</Resource>"
        return f"{head}<Error>{inner}{where}<RequestId>{_REQUEST_ID}</RequestId><HostId>emulator</HostId></Error>"
    return (
        f"{head}<ErrorResponse><Error><Type>Sender</Type>{inner}</Error>"
        f"<RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
    )


def _cbor(document: dict[str, str]) -> bytes:
    """A flat map of texts in CBOR (RFC 8949); errors carry nothing else."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return b"\x79" + len(raw).to_bytes(2, "big") + raw

    return bytes([0xA0 + len(document)]) + b"".join(text(key) + text(value) for key, value in document.items())
