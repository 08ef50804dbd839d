"""Macie in a region: whether sensitive data is looked for in its buckets."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Read, ResourceType


@dataclass(frozen=True, slots=True)
class Session:
    """Macie in a region; ``status`` is null where it never was switched on."""

    name: str
    status: Reading[str | None]


session = ResourceType(
    "aws.macie2.session",
    version=1,
    title="Macie in a region",
    details={"session": Read("macie2:get_macie_session", absent=("NotEnabled",), keep=("status",))},
)


@session.document
def describe_session(seen: Readings) -> Session:
    """The region's Macie."""
    return Session(name="Macie", status=seen["session"].map(lambda answer: (answer or {}).get("status")))
