"""What a bundle tells, file by file, as whoever was handed one may believe its form: strict where ``docs/bundle.md`` names a field.

A bundle comes from outside. A field that is named there has its type here, one that is not is passed over, and what is
optional has a value that claims nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from auditor.domain.finding import Cause, SpanState
from auditor.domain.source import SourceKind

Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count: TypeAlias = Annotated[int, Field(ge=0, lt=2**31)]
Seconds: TypeAlias = Annotated[int, Field(ge=1, lt=2**31)]
Severity: TypeAlias = Literal["low", "medium", "high", "critical", ""]
"""Empty where nothing was judged: the resource was gone."""
CoverageWord: TypeAlias = Literal["ok", "denied", "throttled", "error", "unsupported", "stale"]


class Told(BaseModel):
    """One object of a bundle's files."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True)


class Period(Told):
    """``[from, to)``."""

    begins: AwareDatetime = Field(alias="from")
    ends: AwareDatetime = Field(alias="to")


class StandInTold(Told):
    """A source of which another host than the provider's own answered."""

    source: UUID
    host: str


class AuditTold(Told):
    """``audit.json``: what the bundle is about. ``partial`` says what a part is narrowed to."""

    v: Literal[1]
    tenant: UUID
    name: str
    frameworks: tuple[str, ...]
    kind: str
    period: Period
    as_of: AwareDatetime
    running: bool
    product: str
    partial: dict[str, Any] | None = None
    not_a_real_provider: tuple[StandInTold, ...] = ()


class NamesTold(Told):
    """What a rule of a scope names."""

    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


class RuleTold(NamesTold):
    """A rule of a scope."""

    frameworks: tuple[str, ...] = ()
    without: NamesTold = NamesTold()


class SourceTold(Told):
    """A source of ``scope.json``, once per stretch of its schedule."""

    source: UUID
    kind: SourceKind
    account: str
    name: str
    every_seconds: Seconds
    connected: AwareDatetime = Field(alias="from")
    disconnected: AwareDatetime | None = Field(alias="to")
    rule: RuleTold
    partition: str = "aws"
    endpoint: str = ""
    grid: AwareDatetime | None = None


class SourcesTold(Told):
    """``scope.json``."""

    sources: tuple[SourceTold, ...]


class ScopeTold(Told):
    """A line of ``scope_changes.jsonl``."""

    source: UUID
    version: Count
    valid_from: AwareDatetime
    rule: RuleTold
    changed_by: str
    reason: str


class ChangeTold(Told):
    """A line of ``changes.jsonl``: who changed what, and why."""

    at: AwareDatetime
    kind: str
    subject: str
    by: str
    reason: str


class LeftOutTold(Told):
    """A decision of ``inventory.json`` that something is not connected on purpose."""

    kind: SourceKind
    id: str
    by: str
    reason: str
    valid_from: AwareDatetime


class InventoryTold(Told):
    """``inventory.json``, as far as it is not counted again from the evidence."""

    left_out: tuple[LeftOutTold, ...] = ()


class CoverageTold(Told):
    """A line of ``coverage.jsonl``."""

    source: UUID
    place: str
    resource_type: str
    state: CoverageWord
    detail: str
    action: str
    listed: Count
    rota: Count
    valid_from: AwareDatetime
    last_at: AwareDatetime
    valid_to: AwareDatetime
    within: tuple[str, ...] = ()
    denied_details: dict[str, Count] | tuple[tuple[str, Count], ...] = ()


class RunTold(Told):
    """A line of ``runs.jsonl``; without a run, nothing ran in the slot."""

    source: UUID
    slot: AwareDatetime
    state: str
    run: UUID | None
    scope_version: Count | None
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    counts: dict[str, int]
    baseline: bool = False


class SpanTold(Told):
    """A stretch of constant state, with the twenty facts of its opening."""

    seq: Seconds
    state: SpanState
    prev_state: SpanState | None
    cause: Cause
    reason: str
    severity: Severity
    evaluator: str
    run: UUID
    because: str | None
    observed: tuple[tuple[str, Any], ...] | None
    evidence_digest: Digest | None
    document_digest: Digest | None
    document_version: Count | None
    judged_digest: Digest | None
    published_digest: Digest | None
    judged_as_of: AwareDatetime | None
    valid_from: AwareDatetime
    recorded_at: AwareDatetime
    opened_event: UUID
    about_place: bool
    valid_to: AwareDatetime
    closed_event: UUID | None


class FindingTold(Told):
    """A line of ``findings.jsonl``."""

    finding: UUID
    source: UUID
    check: str
    resource: str
    resource_type: str
    control: str
    name: str
    region: str
    place: str
    spans: Annotated[tuple[SpanTold, ...], Field(min_length=1)]


class EvidenceTold(Told):
    """A line of ``evidence/index.jsonl``; ``stood`` tells when, as far as it is told."""

    evidence: UUID
    digest: Digest
    source: UUID
    resource: str
    collected_at: AwareDatetime
    last_at: AwareDatetime
    operations: tuple[str, ...]
    caller: str
    endpoint: str
    type: str
    type_version: Count
    region: str
    place: str
    stood: tuple[tuple[AwareDatetime, AwareDatetime | None], ...] = ()


class DefinitionTold(Told):
    """A file of ``controls/``: a definition that judged, in every text it was published in."""

    published: tuple[dict[str, Any], ...]
    language: Count
