"""Signing, held against the specification's own library."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from auditor.alerts.webhook import WebhookChannel, headers, secret_of, signature
from auditor.domain.delivery import Delivery, Reply
from auditor.domain.errors import ConfigurationError

NEW = secret_of(bytes(range(32)))
OLD = secret_of(bytes(range(32, 64)))
BODY = '{"type":"finding.opened","data":{"name":"Prüfung"}}'.encode()


def delivery(*secrets: str, attempts: int = 0) -> Delivery:
    some = UUID(int=7)
    return Delivery(
        tenant=some,
        id=some,
        fence=1,
        webhook_id=some,
        event_id=UUID(int=9),
        type="finding.opened",
        url="https://receiver.example/",
        secrets=secrets or (NEW,),
        body=BODY,
        attempts=attempts,
    )


def now() -> datetime:
    return datetime.now(UTC)


def test_the_reference_verifier_accepts_what_we_sign() -> None:
    assert Webhook(NEW).verify(BODY, headers(delivery(), now=now()))["type"] == "finding.opened"


def test_we_sign_as_the_reference_does() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert signature((NEW,), "m1", int(at.timestamp()), BODY) == Webhook(NEW).sign("m1", at, BODY.decode())


def test_during_a_replacement_holders_of_either_secret_accept() -> None:
    sent = headers(delivery(NEW, OLD), now=now())
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(BODY, sent)


def test_after_a_replacement_the_old_secret_accepts_nothing() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, headers(delivery(NEW), now=now()))


@pytest.mark.parametrize("seconds", [-302, 302])
def test_a_request_of_another_time_is_refused_by_the_receiver(seconds: int) -> None:
    sent = headers(delivery(), now=now() + timedelta(seconds=seconds))
    with pytest.raises(WebhookVerificationError, match="timestamp"):
        Webhook(NEW).verify(BODY, sent)


def test_a_changed_body_is_refused_by_the_receiver() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY.replace(b"opened", b"closed"), headers(delivery(), now=now()))


def test_a_changed_id_is_refused_by_the_receiver() -> None:
    sent = {**headers(delivery(), now=now()), "webhook-id": str(UUID(int=8))}
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, sent)


def test_the_id_stays_and_the_timestamp_moves_from_attempt_to_attempt() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    first = headers(delivery(), now=at)
    second = headers(delivery(attempts=1), now=at + timedelta(seconds=5))
    assert first["webhook-id"] == second["webhook-id"] == str(UUID(int=9))
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 5


def test_a_secret_shows_32_bytes_in_base64() -> None:
    assert NEW.startswith("whsec_")
    assert base64.b64decode(NEW.removeprefix("whsec_")) == bytes(range(32))
    with pytest.raises(ValueError, match="32 bytes"):
        secret_of(b"short")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "c2VjcmV0"])
def test_a_text_that_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ConfigurationError):
        signature((secret,), "m", 1, b"")


def test_the_channel_posts_exactly_the_stored_bytes() -> None:
    posted: list[tuple[str, bytes]] = []

    def post(url: str, sent: object, body: bytes, /) -> Reply:
        posted.append((url, body))
        return Reply(200, b"", 0.0)

    assert WebhookChannel(post).send(delivery(), now=now()).status == 200
    assert posted == [("https://receiver.example/", BODY)]


def test_the_latest_head_of_the_ledger_travels_along_and_is_no_part_of_what_the_secret_signs() -> None:
    note = "auditor.example/acme\n7\nroot\n\n\u2014 auditor.example/acme c2ln\n"
    sent = headers(replace(delivery(), checkpoint=note), now=now())
    assert base64.b64decode(sent["auditor-checkpoint"]).decode() == note
    assert Webhook(NEW).verify(BODY, sent)
    assert "auditor-checkpoint" not in headers(delivery(), now=now())
