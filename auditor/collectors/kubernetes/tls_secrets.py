"""Certificates that lie in Secrets and that somebody opted in to have read: the days between which they are good, and no more.

The API has no way to ask for ``tls.crt`` alone, so a named Secret comes whole; what leaves this module of it are two dates.
Nothing is read of a Secret that nobody named.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.kubernetes._about import name_of, namespace_of
from auditor.collectors.kubernetes._listing import listing
from auditor.collectors.kubernetes._requests import NAMED_SECRETS, READ_SECRET
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Read, ResourceType
from auditor.proof.canonical import instant, stamp

CHAIN = "tls.crt"
NOT_THERE = "there is no such Secret"


@dataclass(frozen=True, slots=True)
class TlsSecret:
    """The chain in a Secret: good from the last beginning in it to the first end."""

    name: str
    namespace: str
    not_before: Reading[datetime]
    not_after: Reading[datetime]


def dates(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The two dates of a Secret's certificates, or what keeps them from being told; made in memory, of the whole answer."""
    from cryptography import x509  # noqa: PLC0415  (an account's scan has no use for it)

    told = (answer.get("data") or {}).get(CHAIN)
    if not isinstance(told, str):
        return {"problem": f"it holds no {CHAIN}"}
    try:
        chain = x509.load_pem_x509_certificates(b64decode(told, validate=True))
        return {
            "not_before": stamp(max(one.not_valid_before_utc for one in chain)),
            "not_after": stamp(min(one.not_valid_after_utc for one in chain)),
        }
    except ValueError:  # its words may quote what was read
        return {"problem": f"its {CHAIN} holds no certificate that can be read"}


tls_secret = ResourceType(
    "kubernetes.tls_secret",
    version=1,
    title="Certificate read from a Secret",
    place="account",
    listing=listing(NAMED_SECRETS, "Secret", watched=False),
    details={
        "certificate": Read(
            READ_SECRET,
            named="{id}",
            absent=("NotFound",),
            keep=("not_before", "not_after", "problem"),
            page=dates,
        ),
    },
)


@tls_secret.document
def describe(seen: Readings) -> TlsSecret:
    """The Secret with its chain's days."""
    told = seen["certificate"]
    return TlsSecret(name_of(seen), namespace_of(seen), _day(told, "not_before"), _day(told, "not_after"))


def _day(told: Reading[Any], name: str) -> Reading[datetime]:
    if isinstance(told, Unseen):
        return told
    if told.value is None:
        return Unseen(NOT_THERE)
    day = told.value.get(name)
    return Seen(instant(day)) if day else Unseen(str(told.value.get("problem") or f"{name} is not in the answer"))
