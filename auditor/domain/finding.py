"""The lasting thread of verdicts for a check and a resource, and the stretches it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from auditor.domain.verdict import Verdict

SpanState: TypeAlias = Literal["pass", "fail", "not_applicable", "unknown", "absent", "excluded"]
Cause: TypeAlias = Literal["resource", "control", "evaluator", "coverage", "time", "scope"]
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Current:
    """A finding as it stands: what the tracker must know to tell a change from a repetition.

    ``open`` says that it deviated and has not been seen to hold since: it outlasts times in which nobody could look.
    """

    check: str
    resource: str
    resource_type: str
    region: str
    place: str
    state: SpanState
    reason: str
    span_seq: int
    since: datetime
    judged_digest: str
    document_digest: str
    evaluator: str
    turns_at: datetime | None = None
    open: bool = False
    evidence_digest: str = ""


@dataclass(frozen=True, slots=True)
class Refresh:
    """What is known anew of a finding whose state held: no span opens, but the next change is told from here."""

    check: str
    resource: str
    reason: str
    turns_at: datetime | None
    document_digest: str
    judged_digest: str
    evidence_digest: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A span that opens, and by that closes the one before. ``verdict`` is none when the resource is gone or excluded."""

    check: str
    resource: str
    resource_type: str
    region: str
    place: str
    seq: int
    state: SpanState
    previous: SpanState | None
    cause: Cause
    reason: str
    severity: str
    valid_from: datetime
    verdict: Verdict | None
    event_id: UUID
    was_open: bool = False
    control: str = ""
    tier: str = ""
    """Control and tier are told where no verdict tells them: a resource out of scope has a finding that nobody judged."""

    @property
    def open(self) -> bool:
        """Whether the finding deviates, or did when it was last seen."""
        return self.state == "fail" or (self.was_open and self.state == "unknown")

    @property
    def opens(self) -> bool:
        """Whether something that held, or was never seen, now deviates. Seen again after a gap is not news."""
        return self.open and not self.was_open

    @property
    def resolves(self) -> bool:
        """Whether a deviation ended: seen as holding, excused, or its resource gone; unknown resolves nothing."""
        return self.was_open and not self.open
