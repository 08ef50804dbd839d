"""The answer of a check about a resource at a moment, with what decided it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

VerdictWord: TypeAlias = Literal["pass", "fail", "not_applicable", "unknown"]
VERDICTS: tuple[VerdictWord, ...] = ("pass", "fail", "not_applicable", "unknown")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check on one resource, as judged.

    ``reason`` is a sentence for people (the failing message, or what could not be seen). ``because`` quotes the deciding
    part of the definition, ``observed`` the values it saw. ``region`` is the resource's own, ``place`` the one whose listing
    shows it (a bucket stands in eu-central-1 and is listed in ``global``): coverage is laid over by place. ``turns_at`` is the instant at which time alone may change the
    answer, ``turned_at`` the one at which it did. ``about_place`` marks the line a check leaves on its place when there is nothing, or not everything, to judge.
    """

    check: str
    control: str
    resource: str
    resource_type: str
    region: str
    place: str
    verdict: VerdictWord
    severity: str
    tier: str
    reason: str
    because: str
    observed: tuple[tuple[str, Any], ...]
    evidence: str
    document_digest: str
    document_version: int
    judged_digest: str
    published_digest: str
    judged_as_of: datetime
    observed_at: datetime
    turns_at: datetime | None = None
    turned_at: datetime | None = None
    about_place: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Check and resource: what a finding hangs on."""
        return (self.check, self.resource)
