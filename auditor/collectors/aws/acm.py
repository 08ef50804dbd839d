"""ACM certificates: which are used, when they end, and whether their renewal went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

KEY_TYPES = (
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
)
LIVE = ("ISSUED", "EXPIRED")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate; ``in_use`` says whether another resource serves it."""

    name: Reading[str]
    status: Reading[str]
    in_use: Reading[bool]
    expires_at: Reading[datetime]
    renewal_failed: Reading[bool]


def was_issued(seen: Readings) -> bool:
    """Whether there is, or was, a certificate at all; a request that nobody answered has no end."""
    status = seen["Status"]
    return isinstance(status, Seen) and status.value in LIVE


certificate = ResourceType(
    "aws.acm.certificate",
    version=1,
    title="ACM certificate",
    listing=Listing(
        "acm:list_certificates",
        items="CertificateSummaryList",
        id="CertificateArn",
        keep=("CertificateArn", "DomainName", "Status"),
        Includes={"keyTypes": list(KEY_TYPES)},  # without it only RSA up to 2048 bits is listed
    ),
    details={
        "described": Read(
            "acm:describe_certificate",
            CertificateArn="{CertificateArn}",
            when=was_issued,
            keep=("Certificate.InUseBy", "Certificate.NotAfter", "Certificate.RenewalSummary.RenewalStatus"),
        ),
    },
)


@certificate.document
def describe_certificate(seen: Readings) -> Certificate:
    """The certificate with its use and its end; one that was never issued is used by nobody."""
    told = seen["described"].map(lambda answer: (answer or {}).get("Certificate") or {})
    return Certificate(
        name=seen["DomainName"],
        status=seen["Status"],
        in_use=told.map(lambda found: bool(found.get("InUseBy"))),
        expires_at=told if isinstance(told, Unseen) else _end(told.value.get("NotAfter")),
        renewal_failed=told.map(lambda found: (found.get("RenewalSummary") or {}).get("RenewalStatus") == "FAILED"),
    )


def _end(not_after: Any) -> Reading[Any]:
    return Unseen("NotAfter is not in the answer") if not_after is None else Seen(not_after)
