"""Webhooks signed after the Standard Webhooks specification: id, timestamp and HMAC-SHA256 over both and the body.

The id stays the same over all attempts, so a receiver can drop what it has seen; the timestamp is that of the attempt,
so a recorded request cannot be played back later. While a secret is replaced, each request carries a signature by both.

Beside them ``auditor-checkpoint`` carries the latest signed head of the sender's ledger, a C2SP signed note as base64. It is no
part of what the secret signs: the note has signatures of its own. A receiver that keeps it holds what nobody can take back.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from auditor.alerts import Post
from auditor.domain.delivery import Delivery, Reply
from auditor.domain.errors import ConfigurationError

PREFIX = "whsec_"
SECRET_BYTES = 32


def secret_of(random: bytes) -> str:
    """How a new secret is shown to its owner, once; ``random`` are 32 bytes nobody can guess."""
    if len(random) != SECRET_BYTES:
        raise ValueError(f"a secret is made of {SECRET_BYTES} bytes, not {len(random)}")
    return PREFIX + base64.b64encode(random).decode("ascii")


def signature(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one ``v1,…`` per secret, parted by spaces; ``timestamp`` in seconds."""
    signed = b".".join((message_id.encode("ascii"), str(timestamp).encode("ascii"), body))
    return " ".join(f"v1,{base64.b64encode(_hmac(secret, signed)).decode('ascii')}" for secret in secrets)


def _hmac(secret: str, signed: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not key:
        raise ConfigurationError("a webhook's secret is not whsec_ and base64", advice="Replace the webhook's secret.")
    return hmac.new(key, signed, hashlib.sha256).digest()


def headers(delivery: Delivery, *, now: datetime) -> dict[str, str]:
    """The headers of one attempt."""
    message_id, timestamp = str(delivery.event_id), int(now.timestamp())
    told = (
        {"auditor-checkpoint": base64.b64encode(delivery.checkpoint.encode()).decode()} if delivery.checkpoint else {}
    )
    return told | {
        "content-type": "application/json",
        "user-agent": "auditor-webhook/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(delivery.secrets, message_id, timestamp, delivery.body),
    }


class WebhookChannel:
    """Sends deliveries as signed POST requests through the outbound door."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def send(self, delivery: Delivery, *, now: datetime) -> Reply:
        """One signed request. Raises ``DeliveryError`` when nothing usable answered."""
        return self._post(delivery.url, headers(delivery, now=now), delivery.body)
