"""What the pipeline asks of the outside, as protocols: the rooms that answer are joined in ``bootstrap``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

from auditor.domain.coverage import Coverage
from auditor.domain.events import Event
from auditor.domain.evidence import Collection, Evidence
from auditor.domain.finding import Current, Refresh, Turn
from auditor.domain.scope import Scope
from auditor.domain.source import Source, Unit

FailureKind: TypeAlias = Literal["denied", "throttled", "unsupported", "error"]
Queue: TypeAlias = Literal["collect", "assess", "notify"]


class Clock(Protocol):
    """The time, as UTC: stands still in tests, moves by days in the demo."""

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""


class CallFailed(Exception):  # noqa: N818  (an answer of the vendor, not an error of ours)
    """A call that the vendor refused or that broke: ``code`` as they name it, ``action`` the permission it needs."""

    def __init__(self, code: str, kind: FailureKind, *, action: str, message: str = "") -> None:
        super().__init__(f"{code} {action}")
        self.code = code
        self.kind: FailureKind = kind
        self.action = action
        self.message = message

    @property
    def reason(self) -> str:
        """How it stands in documents and coverage: code and action."""
        return f"{self.code} {self.action}"


class Caller(Protocol):
    """One account as we may ask it: the only thing collection knows of a client library. Safe to share by threads."""

    @property
    def account(self) -> str:
        """The account that the credentials answer for, asserted before anything is kept."""

    @property
    def partition(self) -> str:
        """``aws``, ``aws-us-gov`` or ``aws-cn``."""

    @property
    def home(self) -> str:
        """The region that answers for global services."""

    @property
    def identity(self) -> str:
        """The ARN we ask as."""

    @property
    def endpoint(self) -> str:
        """The host that answers, when it is not the provider's own; else empty."""

    def pages(self, operation: str, params: Mapping[str, Any], *, region: str) -> Iterator[Mapping[str, Any]]:
        """The answer page by page, to exhaustion, with the vendor's names and values.

        Raises:
            CallFailed: The vendor refused, or the call broke after its retries.
        """

    def prepare(self, operation: str, *, region: str) -> None:
        """Repeat an operation that starts something until it says ``COMPLETE``. Raises ``CallFailed`` if it never does."""


class Objects(Protocol):
    """Evidence bytes, content-addressed per tenant by a keyed hash. Putting twice is putting once."""

    def put(self, tenant: UUID, digest: str, data: bytes) -> str:
        """Keep the bytes durably and give the address they are found under."""

    def get(self, tenant: UUID, digest: str) -> bytes:
        """The bytes as they were put.

        Raises:
            EvidenceError: Missing, or not what the digest says.
        """


@dataclass(frozen=True, slots=True)
class Claim:
    """Leased work: ids and a fence only. A tenant is believed from here and from nowhere else."""

    tenant: UUID
    id: UUID
    queue: Queue
    fence: int


class Claims(Protocol):
    """Due rows across tenants, read through a login role that sees ids and times only."""

    def lease(self, queue: Queue, *, now: datetime, limit: int, lease_for: float) -> tuple[Claim, ...]:
        """Up to ``limit`` due rows, round-robin over tenants, each under a new fence until ``now + lease_for`` seconds."""

    def due(self, queue: Queue, *, now: datetime) -> bool:
        """Whether anything is left: an empty lease does not mean no work."""


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as people follow it."""

    id: UUID
    source: UUID
    slot: datetime
    state: Literal["running", "done", "partial"]
    baseline: bool
    started_at: datetime
    finished_at: datetime | None
    units: Mapping[str, int]
    """Units by state."""
    counts: Mapping[str, int]
    """Listed, judged, pass, fail, not_applicable, unknown, opened, resolved, summed over the units."""


class TenantStore(Protocol):
    """Everything kept for one tenant, inside one transaction that is committed when its context ends without an error."""

    # -- sources and plans
    def add_source(self, source: Source, scope: Scope, *, regions: Sequence[str], every: float, now: datetime) -> None:
        """Connect a source, due at once and then each ``every`` seconds.

        Raises:
            TenancyError: This account is connected already.
        """

    def sources(self) -> tuple[Source, ...]:
        """Every connected source, by name."""

    def source(self, id: UUID) -> Source:  # noqa: A002
        """One source. Raises ``TenancyError`` if there is none of that id here."""

    def scope(self, source: UUID) -> Scope:
        """The scope in force."""

    def plan(self, source: UUID, *, slot: datetime, now: datetime, regions: Sequence[str]) -> UUID:
        """A run with one unit per place, ``global`` and ``join`` included; planning the same slot twice plans once."""

    def regions(self, source: UUID) -> tuple[str, ...]:
        """The regions that runs of this source look at."""

    def run(self, id: UUID) -> RunState:  # noqa: A002
        """How a run stands."""

    # -- units
    def unit(self, claim: Claim) -> Unit:
        """The claimed unit, its row locked.

        Raises:
            StaleFenceError: The lease was taken over, or the unit is done: drop what you have.
        """

    def keep(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:
        """Evidence rows, evidence spans and coverage of a unit, and the unit handed to ``assess``.

        A resource that a complete listing no longer shows ends its evidence span. Keeping twice keeps once.
        """

    def give_up(self, unit: Unit, reason: str, *, now: datetime, resource_types: Sequence[str]) -> None:
        """Close a unit that failed too often: coverage ``error`` for its types, so that the gap is seen."""

    def retry(self, unit: Unit, *, due_at: datetime) -> None:
        """Give the lease back, to be tried again at ``due_at``."""

    def attempts(self, unit: Unit) -> int:
        """How often the unit was leased."""

    def finish(self, unit: Unit, counts: Mapping[str, int], *, now: datetime) -> bool:
        """Close the unit with its counts; the last place wakes ``join``; true when the whole run is over.

        Raises:
            RuntimeError: The counts do not reconcile (listed = judged + excluded).
        """

    # -- evidence and findings
    def evidence(self, source: UUID, *, place: str | None, resource_types: Iterable[str]) -> tuple[Evidence, ...]:
        """Current evidence with its content read back from the objects; ``place=None`` means everywhere."""

    def coverage(self, source: UUID, *, place: str | None) -> tuple[Coverage, ...]:
        """The latest look at each type and place."""

    def current(
        self, source: UUID, *, place: str | None, resource_types: Iterable[str]
    ) -> dict[tuple[str, str], Current]:
        """Findings as they stand, by check and resource: of one place, or (``join``, which tracks derived types) of all."""

    def keep_derived(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:
        """Derived documents as evidence, and the coverage of derived types, which only ``join`` can tell."""

    def apply(self, unit: Unit, turns: Sequence[Turn], events: Sequence[Event], *, now: datetime) -> None:
        """Spans closed and opened, current rows, and outbox rows with a delivery per webhook: all or none."""

    def touch(self, source: UUID, refreshed: Sequence[Refresh]) -> None:
        """What is known anew of findings whose state held; written without a span."""

    def announce(self, events: Sequence[Event], *, now: datetime, run: UUID | None = None) -> None:
        """Outbox rows with a delivery per webhook; announcing the same event twice announces it once."""


class Store(Protocol):
    """Where tenants' stores are opened."""

    def open(self, tenant: UUID) -> AbstractContextManager[TenantStore]:
        """One transaction under one tenant; committed on leaving, rolled back on an error."""
