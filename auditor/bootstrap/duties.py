"""What workers, the tick and the signing process do: each duty is a step of the pipeline under a claim."""

from __future__ import annotations

import random
from concurrent.futures import Executor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from auditor.bootstrap.looking import ask_permissions, plan
from auditor.bootstrap.purposes import WEBHOOK_SECRET
from auditor.collectors import declared
from auditor.collectors.callers import Callers, listed_versions, switched_on
from auditor.collectors.pace import BURST, RATE, Bucket, LocalBucket, at_pace
from auditor.domain.errors import AuditorError, CollectionError, LedgerError, StaleFenceError
from auditor.domain.events import Event
from auditor.domain.ports import Claim, Queue
from auditor.domain.preflight import Tried
from auditor.domain.source import public_id
from auditor.pipeline.anchor import stamp_daily
from auditor.pipeline.checkpoint import Checkpointer
from auditor.pipeline.export import answer_signatures, export
from auditor.pipeline.notify import notify
from auditor.pipeline.recheck import recheck
from auditor.pipeline.refresh import plan_refresh
from auditor.pipeline.units import Workshop
from auditor.telemetry import logger

if TYPE_CHECKING:
    from auditor.bootstrap.installation import Installation
    from auditor.store.bundles import PostgresSeals
    from auditor.trust.signing import LogKeys
    from auditor.trust.timestamps import Authority

PLANNED_AT_ONCE = 50
PLANNING_LEASE = 60.0
UPKEEP_EVERY = timedelta(days=1)


class Work:
    """``worker.tasks.Duties`` over an installation: each duty is a step of the pipeline under a claim."""

    def __init__(self, installation: Installation, pool: Executor, *, bucket: Bucket | None = None) -> None:
        from auditor.alerts.webhook import WebhookChannel  # noqa: PLC0415  (httpx is not for scans)
        from auditor.store.deliveries import PostgresDeliveries  # noqa: PLC0415

        self._here = installation
        self._pool = pool
        threads, paced = installation.settings.threads, bucket or LocalBucket(RATE, BURST)
        self._workshop = Workshop(
            store=installation.store,
            objects=installation.objects,
            library=installation.library,
            resource_types=declared.resource_types(),
            connect=Callers(
                lambda source, manners: installation.caller(source, threads=threads, bucket=at_pace(paced, manners))
            ),
            pool=pool,
            clock=installation.clock,
            link=installation.link,
            fingerprint=installation.fingerprint,
            enabled=switched_on,
            versions=listed_versions,
        )
        self._deliveries = PostgresDeliveries(installation.app, self._secret, installation.clock)
        self._channel = WebhookChannel(installation.egress.post)

    def collect(self, claim: Claim) -> None:
        """Look at a unit's place and keep what was seen."""
        self._workshop.collect(claim)

    def assess(self, claim: Claim) -> None:
        """Judge what a unit brought home and track the turns, by definitions that are kept before they judge."""
        self._here.keep_definitions(claim.tenant)
        self._workshop.assess(claim)

    def deliver(self, claim: Claim) -> None:
        """Try one delivery."""
        notify(
            claim,
            deliveries=self._deliveries,
            channel=self._channel,
            clock=self._here.clock,
            jitter=lambda: random.uniform(-1, 1),  # noqa: S311  (spreads retries; nothing rests on it)
        )

    def preflight(self, claim: Claim) -> None:
        """Ask what may be asked of a source, and keep the answer."""
        with self._here.store.open(claim.tenant) as books:
            id_ = books.preflight_source(claim)
            source, scope, regions = books.source(id_), books.scope(id_), books.regions(id_)
        tried: tuple[Tried, ...] = ()
        error: str | None = None
        try:
            caller = self._here.caller(source, threads=self._here.settings.threads)
            tried = ask_permissions(caller, self._here.library, scope, regions, pool=self._pool, kind=source.kind)
        except CollectionError as refused:
            error = str(refused)
        with self._here.store.open(claim.tenant) as books:
            books.answer_preflight(claim, tried, error=error, now=self._here.clock())

    def upkeep(self, claim: Claim) -> None:
        """Seal what an earlier release kept unsealed, push locks out and lay holds on; again tomorrow."""
        from auditor.pipeline.retention import seal, uphold  # noqa: PLC0415  (not for scans)

        here, at = self._here, self._here.clock()
        seal(here.store, here.objects, here.blobs, claim.tenant, now=at)
        uphold(here.store, here.blobs, claim.tenant, period=here.settings.retention, now=at)
        with here.store.open(claim.tenant) as books:
            books.upkeep_done(claim, due_at=at + UPKEEP_EVERY)

    def export(self, claim: Claim) -> bool:
        """Go on with a bundle; true once it is done or failed."""
        return export(claim, books=self._here.store.open, issuer=self._here.issuing(), clock=self._here.clock)

    def plan_due(self) -> int:
        """Plan the runs that are due, and say how many were."""
        at = self._here.clock()
        due = self._here.claims.sources(now=at, limit=PLANNED_AT_ONCE, lease_for=PLANNING_LEASE)
        for one in due:
            try:
                with self._here.store.open(one.tenant) as books:
                    plan(books, one.source, slot=one.slot, now=at)
                    books.begin_upkeep(now=at)
            except AuditorError:  # a source that cannot be planned keeps no other from its turn
                logger(__name__).exception("source not planned", tenant=str(one.tenant), source=str(one.source))
        return len(due) + self._plan_refreshes()

    def _plan_refreshes(self) -> int:
        """Plan another look at what watches have marked; a source that is looked at anyway waits for that to end."""
        at = self._here.clock()
        claims = self._here.claims.lease("refresh", now=at, limit=PLANNED_AT_ONCE, lease_for=PLANNING_LEASE)
        for claim in claims:
            try:
                with self._here.store.open(claim.tenant) as books:
                    plan_refresh(books, claim, declared.resource_types(), now=at)
            except AuditorError:
                logger(__name__).exception("refresh not planned", tenant=str(claim.tenant), source=str(claim.id))
        return len(claims)

    def renew(self, claim: Claim, lease_for: float) -> None:
        """Hold the lease for so many seconds from now.

        Raises:
            StaleFenceError: Somebody else has it, or the run was cancelled; looking under this claim ends here.
        """
        try:
            self._here.claims.renew(claim, now=self._here.clock(), lease_for=lease_for)
        except StaleFenceError:
            self._workshop.stops.stop(claim)
            raise

    def canary(self, queue: Queue) -> None:
        """Note that this queue was heard just now."""
        self._here.claims.heard(queue, now=self._here.clock())

    def _secret(self, tenant: UUID, sealed: bytes) -> str:
        return self._here.keyring.open(tenant, WEBHOOK_SECRET, sealed).decode()


class Notary:
    """Appending, signing, stamping and going through the logs, over an installation; ``worker.checkpoints.Notary``."""

    def __init__(
        self,
        installation: Installation,
        checkpointer: Checkpointer,
        keys: LogKeys,
        seals: PostgresSeals,
        authority: Authority | None,
    ) -> None:
        self._here = installation
        self._checkpointer = checkpointer
        self._keys = keys
        self._seals = seals
        self._authority = authority
        self._told: set[tuple[UUID, str]] = set()

    def round(self) -> int:
        """Append all that waits and sign what grew; a log that may not be signed is told of, and the others go on."""
        appended = self._checkpointer.round(self.broken)
        return appended + answer_signatures(self._seals, self._keys, clock=self._here.clock)

    def stamp(self) -> int:
        """Have the day's head of each log stamped, if there is an authority; what fails is logged, and tried again later."""
        if self._authority is None:
            return 0
        return stamp_daily(self._checkpointer.ledger, self._authority, clock=self._here.clock, failed=self._not_stamped)

    def _not_stamped(self, tenant: UUID, error: AuditorError) -> None:
        logger(__name__).warning("no time stamp yet", tenant=str(tenant), problem=str(error), advice=error.advice())

    def recheck(self) -> int:
        """Go through every log from its first entry; what is wrong is told. Gives how many are."""
        from auditor.store.ledger import PostgresCopy  # noqa: PLC0415  (SQLAlchemy is not for scans)
        from auditor.trust.signing import open_head  # noqa: PLC0415

        wrong = 0
        for tenant in self._checkpointer.ledger.tenants():
            with PostgresCopy.reading(self._here.app, tenant) as copy:
                log = copy.log()
                known = [] if log is None else self._keys.known(log.origin)
                try:
                    recheck(copy, partial(open_head, keys=known))
                except LedgerError as error:
                    self.broken(tenant, error)
                    wrong += 1
        return wrong

    def broken(self, tenant: UUID, error: LedgerError) -> None:
        """Tell a tenant's webhooks that its log is not what was signed; the same thing once a day."""
        at = self._here.clock()
        day = f"{at:%Y-%m-%d}"
        logger(__name__).error("a ledger is broken", tenant=str(tenant), problem=str(error))
        if (tenant, day) in self._told:
            return
        self._told.add((tenant, day))
        event = Event(
            public_id(tenant, "ledger.broken", day),
            "ledger.broken",
            at,
            {"problem": str(error), "advice": error.advice()},
        )
        with self._here.store.open(tenant) as books:
            books.announce([event], now=at)
