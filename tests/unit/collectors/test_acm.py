"""Certificates as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws._client import loader
from auditor.collectors.aws.acm import KEY_TYPES, Certificate, certificate, was_issued
from auditor.domain.reading import Readings, Seen, Unseen

END = "2026-03-01T00:00:00Z"


def described(told: Any, status: str = "ISSUED") -> Certificate:
    document: Certificate = certificate.describe({"DomainName": "example.com", "Status": status, "described": told})
    return document


def test_a_certificate_tells_its_use_its_end_and_its_renewal() -> None:
    seen = described({"Certificate": {"InUseBy": ["arn:lb"], "NotAfter": END}})
    assert (seen.in_use, seen.expires_at.map(str), seen.renewal_failed) == (
        Seen(value=True),
        Seen(END),
        Seen(value=False),
    )
    failed = described({"Certificate": {"NotAfter": END, "RenewalSummary": {"RenewalStatus": "FAILED"}}})
    assert (failed.in_use, failed.renewal_failed) == (Seen(value=False), Seen(value=True))


def test_what_we_may_not_read_is_unknown() -> None:
    seen = described({"$unseen": "denied"})
    assert seen.in_use == seen.expires_at == seen.renewal_failed == Unseen("denied")


def test_a_certificate_without_an_end_is_unknown() -> None:
    assert described({"Certificate": {"InUseBy": ["arn:lb"]}}).expires_at == Unseen("NotAfter is not in the answer")


@pytest.mark.parametrize(
    ("status", "asked"), [("ISSUED", True), ("EXPIRED", True), ("PENDING_VALIDATION", False), ("REVOKED", False)]
)
def test_only_what_was_issued_is_asked_about(status: str, *, asked: bool) -> None:
    assert was_issued(Readings({"Status": status}, certificate.names)) is asked


def test_certificates_of_every_kind_of_key_are_listed() -> None:
    shapes = loader().load_service_model("acm", "service-2")["shapes"]
    assert set(KEY_TYPES) == set(shapes["KeyAlgorithm"]["enum"])
