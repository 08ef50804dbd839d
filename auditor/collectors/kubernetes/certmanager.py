"""Certificates that cert-manager keeps: until when they are good, without a look into any Secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.kubernetes._about import fields, name_of, namespace_of, words
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType
from auditor.proof.canonical import instant


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate; ``not_after`` is null until it was issued."""

    name: str
    namespace: str
    secret: str
    hosts: tuple[str, ...]
    not_after: datetime | None


certificate = ResourceType(
    "kubernetes.certificate",
    version=1,
    title="Certificate",
    place="account",
    listing=listing(
        "cert-manager.io/v1:certificates",
        "Certificate",
        keep=("spec.secretName", "spec.dnsNames", "status.notAfter"),
        unsupported=True,
    ),
)


@certificate.document
def describe(seen: Readings) -> Certificate:
    """The certificate and its last day."""
    spec, ends = fields(seen, "spec"), fields(seen, "status").get("notAfter")
    return Certificate(
        name_of(seen),
        namespace_of(seen),
        str(spec.get("secretName") or ""),
        words(spec.get("dnsNames")),
        instant(ends) if ends else None,
    )
