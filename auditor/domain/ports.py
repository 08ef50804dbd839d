"""What the pipeline asks of the outside, as protocols: the rooms that answer are joined in ``bootstrap``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

from auditor.domain.calls import Hear, unheard
from auditor.domain.coverage import Coverage
from auditor.domain.events import Event
from auditor.domain.evidence import Collection, Known, Standing
from auditor.domain.finding import Current, Refresh, Turn
from auditor.domain.scope import Scope
from auditor.domain.scope_change import ScopeChange, ScopePreview
from auditor.domain.source import Manners, Source, Unit
from auditor.domain.watching import Mark, Stream, StreamState

ABOVE_THE_ROLE = frozenset({"service control policy", "resource control policy", "permissions boundary"})
"""Whose no cannot be lifted by allowing the role more."""
FailureKind: TypeAlias = Literal["denied", "throttled", "unsupported", "error"]
Queue: TypeAlias = Literal["collect", "assess", "notify", "preflight", "upkeep", "export", "watch", "refresh"]


class Clock(Protocol):
    """The time, as UTC: stands still in tests, moves by days in the demo."""

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""


class CallFailed(Exception):  # noqa: N818  (an answer of the vendor, not an error of ours)
    """A call that the vendor refused or that broke: ``code`` as they name it, ``action`` the permission it needs.

    ``by`` is what denied it, where the vendor says so (a policy of the organisation, a boundary); ``retry_after`` the seconds
    it asks us to wait, zero if it does not.
    """

    def __init__(
        self,
        code: str,
        kind: FailureKind,
        *,
        action: str,
        message: str = "",
        by: str = "",
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(f"{code} {action}")
        self.code = code
        self.kind: FailureKind = kind
        self.action = action
        self.message = message
        self.by = by
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        """How it stands in documents and coverage: code, action, and who said no if it was not the account's own policies."""
        return f"{self.code} {self.action}" + (f" (by {self.by})" if self.by in ABOVE_THE_ROLE else "")


class StartOver(CallFailed):
    """A listing that cannot go on as it began: what came of it is taken back, and it is asked for once more."""


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

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        """The answer page by page, to exhaustion, with the vendor's names and values.

        ``heard`` is told before each page, and before a refusal, how it was answered; not where no answer came at all.

        Raises:
            CallFailed: The vendor refused, or the call broke after its retries.
        """

    def prepare(self, operation: str, *, region: str) -> None:
        """Repeat an operation that starts something until it says ``COMPLETE``. Raises ``CallFailed`` if it never does."""


class Objects(Protocol):
    """Evidence bytes, content-addressed per tenant by a keyed hash. Putting twice is putting once."""

    def put(self, tenant: UUID, digest: str, data: bytes) -> str:
        """Keep the bytes durably and give the address they are found under."""

    def put_many(self, tenant: UUID, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Keep several contents by digest; gives their addresses. One question for all keys instead of one each."""

    def get(self, tenant: UUID, digest: str) -> bytes:
        """The bytes as they were put.

        Raises:
            EvidenceError: Missing, erased, or not what the digest says.
        """

    def get_many(self, tenant: UUID, digests: Iterable[str]) -> dict[str, bytes]:
        """Several contents by digest. Raises as ``get`` does."""

    def seal_beside(self, tenant: UUID, digests: Sequence[str], values: Sequence[bytes]) -> list[bytes]:
        """Values sealed under the key of the object whose digest stands at the same place: erased with it."""

    def open_beside(self, tenant: UUID, digests: Sequence[str], sealed: Sequence[bytes]) -> list[bytes | None]:
        """The values as they were sealed; none for one whose object was erased or whose bytes do not open."""


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
    state: Literal["running", "done", "partial", "cancelled"]
    baseline: bool
    started_at: datetime
    finished_at: datetime | None
    units: Mapping[str, int]
    """Units by state."""
    counts: Mapping[str, int]
    """Listed, judged, held, pass, fail, not_applicable, unknown, opened, resolved, summed over the units."""
    cancelled_by: str = ""
    cancel_reason: str = ""
    refresh: bool = False
    """Whether it looked at no more than what a watch had marked."""


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

    def hold_scope(self, source: UUID) -> Scope:
        """The scope in force, which nobody changes until this transaction ends."""

    def plan(
        self,
        source: UUID,
        *,
        slot: datetime,
        now: datetime,
        regions: Sequence[str],
        parts: Mapping[str, Sequence[tuple[str, ...]]] = ...,
        due_at: datetime | None = None,
        only: Mapping[str, Sequence[str]] = ...,
    ) -> UUID:
        """A run with one unit per place, ``global`` and ``join`` included; planning the same slot twice plans once.

        A place with ``parts`` gets a unit for each, of its own services. No unit is due before ``due_at``. With ``only``
        it is a refresh: of these types, and of these resources where any are named.
        """

    def cancel(self, run: UUID, *, by: str, reason: str, now: datetime) -> bool:
        """End a run that is under way, keeping what its units tracked; false if it was over already."""

    def places(self, run: UUID) -> tuple[str, ...]:
        """The places that a run was planned over, ``global`` first."""

    def every(self, source: UUID) -> timedelta:
        """How far the runs of a source lie apart."""

    def manners(self, source: UUID) -> Manners:
        """How gently a source is asked."""

    def set_manners(self, source: UUID, manners: Manners) -> None:
        """Ask a source as gently as this from the next unit on."""

    def costs(self, source: UUID) -> dict[str, dict[str, int]]:
        """What the last run that came to its end took: calls by place and operation."""

    def spent(self, source: UUID, since: datetime) -> int:
        """Calls of the units that began since then, with what those under way are expected to take."""

    def preview_scope(self, source: UUID, scope: Scope) -> ScopePreview:
        """What a scope would do if it took the place of the one in force; nothing is written."""

    def change_scope(
        self,
        source: UUID,
        scope: Scope,
        *,
        by: str,
        reason: str,
        now: datetime,
        tell: Callable[[Turn], Event | None] = ...,
    ) -> ScopeChange:
        """Put a scope in force as the next version; findings that are out of it turn to excluded at once.

        Raises:
            ConfigurationError: No reason, or the rule is the one in force.
        """

    def regions(self, source: UUID) -> tuple[str, ...]:
        """The regions that runs of this source look at: those it has, as far as its scope holds them."""

    def pinned(self, source: UUID) -> bool:
        """Whether somebody named the regions, so that runs do not follow what is switched on."""

    def set_regions(self, source: UUID, regions: Sequence[str], *, pinned: bool, by: str, now: datetime) -> bool:
        """Say which regions a source has, from its next run on; false if it has just these."""

    def run(self, id: UUID) -> RunState:  # noqa: A002
        """How a run stands."""

    # -- units
    def unit(self, claim: Claim) -> Unit:
        """The claimed unit, its row locked.

        Raises:
            StaleFenceError: The lease was taken over, or the unit is done: drop what you have.
        """

    def known(self, source: UUID, place: str, resource_types: Iterable[str]) -> dict[tuple[str, str], Known]:
        """What stands of each resource of a place, by type and native id: what need not be read or put again."""

    def keep(
        self,
        unit: Unit,
        collection: Collection,
        addresses: Mapping[str, str],
        *,
        now: datetime,
        again_at: datetime | None = None,
    ) -> None:
        """What changed of a unit's evidence, its coverage and exclusions, and the unit handed to ``assess``.

        A resource that a complete listing no longer shows ends its evidence span; one that stands as it was writes
        nothing. With ``again_at`` the unit is given back instead, to be looked at once more from then on.
        """

    def listed_at(self, source: UUID, versions: Mapping[str, str], *, now: datetime) -> None:
        """Listings that were kept, with the version each was of: a watch of them goes on from there."""

    # -- watches
    def streams(self, claim: Claim) -> tuple[Stream, ...]:
        """What may be watched of the claimed source, and from which version on; none where it must be listed first."""

    def heard(
        self,
        claim: Claim,
        marks: Mapping[Mark, datetime],
        versions: Mapping[str, str],
        states: Mapping[str, StreamState],
        *,
        now: datetime,
    ) -> None:
        """Keep what a watch told since the last time: marks with when they are due, and how far each stream has come.

        Raises:
            StaleFenceError: Somebody else watches the source by now.
        """

    def mark(self, source: UUID, marks: Mapping[Mark, datetime], *, now: datetime) -> None:
        """Have resources looked at again, each from an instant on; what is marked already falls together."""

    def release_watch(self, claim: Claim) -> None:
        """Let another watch the claimed source from now on."""

    def dirty(self, claim: Claim, *, now: datetime) -> tuple[Mark, ...]:
        """Take the marks of a source that are due, with all others of their types. Raises ``StaleFenceError``."""

    def next_refresh(self, claim: Claim, *, at: datetime | None = None) -> None:
        """Give the claimed refresh back: due ``at``, or with the next mark."""

    def nothing_new(self, unit: Unit, *, now: datetime) -> None:
        """End a refresh that showed what was known: there is nothing to judge, and nothing to join."""

    def under_way(self, source: UUID) -> bool:
        """Whether a run of this source is not over yet."""

    def give_up(self, unit: Unit, reason: str, *, now: datetime, resource_types: Sequence[str]) -> None:
        """Close a unit that failed too often: coverage ``error`` for its types, so that the gap is seen."""

    def retry(self, unit: Unit, *, due_at: datetime, tried: bool = True) -> None:
        """Give the lease back, to be tried again at ``due_at``; not ``tried`` means that it only waits and lost no attempt."""

    def reserve(self, unit: Unit, expected: int, *, daily: int, since: datetime, now: datetime) -> bool:
        """Book the calls a unit is expected to take, if the day's budget has room for them; else nothing, and false."""

    def note_calls(self, unit: Unit, calls: Mapping[str, int]) -> None:
        """Add what a look took, by operation, to what earlier looks of this unit took."""

    def attempts(self, unit: Unit) -> int:
        """How often the unit was begun in the step it is in; a lease that nobody came to is no try."""

    def finish(self, unit: Unit, counts: Mapping[str, int], *, now: datetime) -> bool:
        """Close the unit with its counts; the last place wakes ``join``; true when the whole run is over.

        Raises:
            RuntimeError: The counts do not reconcile (listed = judged + held + excluded).
        """

    # -- evidence and findings
    def standing(self, source: UUID, place: str | None, resource_types: Iterable[str]) -> tuple[Standing, ...]:
        """Current evidence without content, by type and native id; ``place=None`` means everywhere."""

    def contents(self, digests: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Contents read back from the objects, by evidence digest.

        Raises:
            EvidenceError: An object is missing or is not what its digest says.
        """

    def exclusions(self, source: UUID, place: str | None) -> dict[tuple[str, str], str]:
        """Resources that the scope leaves out, by type and native id, each with the rule's words and its version."""

    def joined(self, source: UUID) -> dict[str, str]:
        """The digests of what each derived type was last built from by today's evaluator, by type."""

    def keep_joined(self, unit: Unit, built: Mapping[str, str]) -> None:
        """Remember what derived types were built from. Raises ``StaleFenceError`` if the unit is no longer ours."""

    def volatile_judged(self, source: UUID, place: str) -> dict[str, str]:
        """The digests of the volatile facts that each check judged last in a place, by check."""

    def keep_volatile_judged(self, unit: Unit, judged: Mapping[str, str]) -> None:
        """Remember which volatile facts checks judged. Raises ``StaleFenceError`` if the unit is no longer ours."""

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

    def keep_documents(self, documents: Mapping[tuple[str, str], bytes], *, now: datetime) -> None:
        """Keep what spans began with, by the digests of document and evidence; it is erased with the evidence."""

    def touch(self, source: UUID, refreshed: Sequence[Refresh]) -> None:
        """What is known anew of findings whose state held; written without a span."""

    def announce(self, events: Sequence[Event], *, now: datetime, run: UUID | None = None) -> None:
        """Outbox rows with a delivery per webhook; announcing the same event twice announces it once."""


class Store(Protocol):
    """Where tenants' stores are opened."""

    def open(self, tenant: UUID) -> AbstractContextManager[TenantStore]:
        """One transaction under one tenant; committed on leaving, rolled back on an error."""
