"""The one place where everything meets: which store, which objects, which caller, joined for a command or a process.

Imports of heavy rooms stand where they are needed: a scan must not pay for a database it does not use.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from auditor.collectors import declared
from auditor.collectors.aws import resource_types
from auditor.collectors.callers import Callers, switched_on
from auditor.collectors.pace import BURST, RATE, Bucket, LocalBucket, at_pace
from auditor.domain.control import Library
from auditor.domain.errors import AuditorError, CollectionError, ConfigurationError, LedgerError, StaleFenceError
from auditor.domain.events import Event
from auditor.domain.finding import Turn
from auditor.domain.ports import Caller, Claim, Clock, Queue, TenantStore
from auditor.domain.preflight import Tried
from auditor.domain.resource_type import ResourceType
from auditor.domain.scope import Scope
from auditor.domain.scope_change import ScopeChange
from auditor.domain.source import Source, SourceKind, public_id
from auditor.pipeline.checkpoint import Checkpointer
from auditor.pipeline.export import answer_signatures, export
from auditor.pipeline.notify import notify
from auditor.pipeline.plan import places, plan_run, select
from auditor.pipeline.preflight import preflight
from auditor.pipeline.recheck import recheck
from auditor.pipeline.reperform import describer
from auditor.pipeline.scan import Scan, scan
from auditor.pipeline.track import announcement
from auditor.pipeline.units import Workshop
from auditor.telemetry import logger

if TYPE_CHECKING:
    from auditor.collectors.aws._client import AwsCaller
    from auditor.exports.issuing import Issuing
    from auditor.settings import Settings
    from auditor.store.bundles import PostgresSeals
    from auditor.store.claims import PostgresClaims
    from auditor.store.database import Database
    from auditor.store.embedded import EmbeddedDatabase, Urls
    from auditor.store.identity import Identities
    from auditor.store.keys import PostgresKeys, Root
    from auditor.store.ledger import PostgresLedger
    from auditor.store.objects.blobs import Blobs
    from auditor.store.objects.vault import Vault
    from auditor.store.provision import Roles
    from auditor.store.tenant_store import PostgresStore, PostgresTenantStore
    from auditor.trust.egress import Egress
    from auditor.trust.encryption import Keyring
    from auditor.trust.signing import LogKeys

WEBHOOK_SECRET = "webhook secret"  # noqa: S105  (what a sealed value is bound to, not the value)
CLUSTER_TOKEN = "cluster token"  # noqa: S105  (likewise)
CLUSTER_PORTS = frozenset({443, 6443, 8443})
"""Where API servers answer: the operator's own networks may have others."""
PLANNED_AT_ONCE = 50
PLANNING_LEASE = 60.0
UPKEEP_EVERY = timedelta(days=1)


def now() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


def scan_aws(
    library: Library,
    *,
    profile: str | None,
    role_arn: str | None,
    external_id: str | None,
    regions: Sequence[str],
    services: Sequence[str],
    frameworks: Sequence[str],
    threads: int,
    clock: Clock,
    progress: Callable[[str, int, int], None],
) -> Scan:
    """One pass over the account behind the credentials; no database.

    Raises:
        CollectionError: No credentials that AWS accepts: nothing could be seen.
    """
    from auditor.collectors.aws._client import connect, enabled_regions  # noqa: PLC0415  (boto3 costs 134 ms to import)

    caller = connect(profile=profile, role_arn=role_arn, external_id=external_id, threads=threads)
    scope = Scope(regions=tuple(regions), services=tuple(services), frameworks=tuple(frameworks))
    selection = select(library, resource_types(), scope)
    there = tuple(regions) or enabled_regions(caller)
    return scan(
        selection,
        caller,
        places(there, scope),
        clock=clock,
        threads=threads,
        progress=progress,
        release=caller.release,
    )


def call(source: Source, *, threads: int, bucket: Bucket | None = None) -> AwsCaller:
    """A source as we may ask it, its account asserted; ``bucket`` paces all who share it.

    Raises:
        CollectionError: The vendor refuses the credentials, or they answer for another account.
    """
    from auditor.collectors.aws._client import connect  # noqa: PLC0415  (boto3 costs 134 ms to import)

    return connect(
        profile=source.profile,
        role_arn=source.role_arn,
        external_id=source.external_id,
        endpoint_url=source.endpoint_url,
        expected_account=source.account,
        threads=threads,
        bucket=bucket,
    )


def ask_permissions(
    caller: Any,
    library: Library,
    scope: Scope,
    regions: Sequence[str],
    *,
    pool: Executor,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    kind: SourceKind = "aws",
) -> tuple[Tried, ...]:
    """Each action that runs of this scope would call, asked once in each place; see ``pipeline.preflight``.

    A cluster answers for what it would allow, so nothing is listed there; ``caller`` is one of a source of that ``kind``.
    """
    if kind == "kubernetes":
        from auditor.collectors.kubernetes._preflight import review  # noqa: PLC0415  (the library costs 0.25 s)

        own = (one for one in declared.resource_types() if one.name.startswith("kubernetes."))
        return review(select(library, own, scope).collected, caller, pool=pool, progress=progress)
    from auditor.collectors.aws._client import switched_off  # noqa: PLC0415  (boto3 costs 134 ms to import)

    selection = select(library, resource_types(), scope)
    return preflight(
        selection.collected,
        caller,
        places(regions, scope),
        off=switched_off(caller),
        action=caller.action,
        pool=pool,
        progress=progress,
    )


@dataclass(frozen=True, slots=True)
class Installation:
    """What one process holds open: databases, objects, keys. Use it in a ``with`` block."""

    settings: Settings
    library: Library
    clock: Clock
    urls: Urls
    store: PostgresStore
    claims: PostgresClaims
    identities: Identities
    objects: Vault
    blobs: Blobs
    keys: PostgresKeys
    keyring: Keyring
    egress: Egress
    databases: tuple[Database, ...]
    server: EmbeddedDatabase | None
    told: set[UUID] = field(default_factory=set)
    """Tenants that this process has kept its definitions with."""

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock = now, services: Sequence[str] = ()) -> Self:
        """Start or reach the database, bring an embedded one's schema up to date, and open the rest.

        ``services`` narrows what is asked, for an installation that looks at a few of them only.

        Raises:
            ConfigurationError: A setting is missing or cannot work; its advice names the setting.
        """
        from auditor.store import embedded  # noqa: PLC0415  (SQLAlchemy is not for scans)
        from auditor.store.claims import PostgresClaims  # noqa: PLC0415
        from auditor.store.database import connect, migrated  # noqa: PLC0415
        from auditor.store.identity import Identities  # noqa: PLC0415
        from auditor.store.keys import PostgresKeys  # noqa: PLC0415
        from auditor.store.provision import Roles, migrate  # noqa: PLC0415
        from auditor.store.tenant_store import PostgresStore  # noqa: PLC0415
        from auditor.trust.egress import Egress, parse_networks  # noqa: PLC0415
        from auditor.trust.encryption import AesGcm, Keyring, LocalRoot, root_key  # noqa: PLC0415
        from controls import shipped  # noqa: PLC0415

        asked = shipped()
        # What can be wrong with settings alone is told before anything is opened.
        blobs, (root, roots) = _blobs(settings), _given(settings)
        server = None
        if settings.embedded:
            server = embedded.start(settings.home)
            urls = server.urls
            migrate(urls.owner, Roles())
            app, claims = connect(urls.app), connect(urls.claims, connections=4)
        else:
            urls = _configured(settings)
            app = migrated(urls.app, setting="AUDITOR_DATABASE_URL")
            claims = migrated(urls.claims, setting="AUDITOR_CLAIM_DATABASE_URL", connections=4)
        if not roots:  # not before an embedded server has made the folder that its user must reach
            root = root_key(None, settings.home)
            roots = (LocalRoot(root),)
        # Connections of their own: who asks for a key holds one of the store's, and would wait for itself.
        keyed = connect(urls.app, connections=4)
        keys = PostgresKeys(keyed, roots, AesGcm(), clock)
        objects = _vault(settings, root, blobs, keys, clock)
        return cls(
            settings=settings,
            library=asked.only(services) if services else asked,
            clock=clock,
            urls=urls,
            store=PostgresStore(app, objects),
            claims=PostgresClaims(claims),
            identities=Identities(app),
            objects=objects,
            blobs=blobs,
            keys=keys,
            keyring=Keyring(root, keys.tenant_secret if settings.kms_key_arn else None),
            egress=Egress(parse_networks(settings.egress_allow)),
            databases=(app, claims, keyed),
            server=server,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give connections back, and let go of the embedded server."""
        for database in self.databases:
            database.close()
        if self.server is not None:
            self.server.stop()

    @property
    def app(self) -> Database:
        """The application role's connections."""
        return self.databases[0]

    def open_tenant(self, tenant: UUID) -> AbstractContextManager[PostgresTenantStore]:
        """One transaction under a tenant."""
        return self.store.open(tenant)

    def duties(self, pool: Executor) -> Work:
        """What workers and the tick do here, over a pool of calls."""
        return Work(self, pool)

    def caller(self, source: Source, *, threads: int, bucket: Bucket | None = None) -> Caller:
        """A source as we may ask it, of whatever kind; see ``call`` and ``collectors.kubernetes._sources.reach``.

        Raises:
            CollectionError: It refuses the credentials, is another than the one connected, or may not be dialled.
        """
        if source.access is None:
            return call(source, threads=threads, bucket=bucket)
        from auditor.collectors.kubernetes._sources import reach  # noqa: PLC0415  (the library costs 0.25 s)

        try:
            sealed = source.secret_sealed
            token = None if sealed is None else self.keyring.open(source.tenant, CLUSTER_TOKEN, sealed).decode()
        except ConfigurationError as error:
            raise CollectionError(str(error), advice=error.advice()) from error
        return reach(
            source.access,
            account=source.account,
            token=token,
            judge=partial(self.egress.judge, ports=CLUSTER_PORTS),
            threads=threads,
            bucket=bucket,
        )

    def add_webhook(self, tenant: UUID, url: str, *, by: str) -> str:
        """Keep a webhook for what happens from now on, and give its secret: nobody can read it again.

        Raises:
            EgressError: The address may not be dialled from here.
        """
        from auditor.alerts.webhook import secret_of  # noqa: PLC0415

        self.egress.judge(url)
        secret = secret_of(secrets.token_bytes(32))
        sealed = self.keyring.seal(tenant, WEBHOOK_SECRET, secret.encode())
        at = self.clock()
        with self.store.open(tenant) as books:
            books.add_webhook(uuid4(), url, sealed, by=by, now=at)
            books.record_action(by, "webhook.add", url, now=at)
        return secret

    def change_scope(self, tenant: UUID, source: UUID, scope: Scope, *, by: str, reason: str) -> ScopeChange:
        """Put a scope in force, and tell of the deviations that end because they are out of it.

        Raises:
            TenancyError: There is no such source here.
            ConfigurationError: No reason, or the rule is the one in force.
        """
        with self.store.open(tenant) as books:
            looked_at = books.source(source)

            def tell(turn: Turn) -> Event | None:
                known = turn.check in self.library.check
                return announcement(turn, looked_at, self.library, self.link) if known else None

            return books.change_scope(source, scope, by=by, reason=reason, now=self.clock(), tell=tell)

    def origin(self, tenant: UUID) -> str:
        """The name that a tenant's log begins under, and keeps."""
        return f"{urlsplit(self.settings.base_url).netloc}/{tenant}"

    @contextmanager
    def ledger(self) -> Iterator[PostgresLedger]:
        """The logs of all tenants, through the role that appends.

        Raises:
            ConfigurationError: This process was not given that role.
        """
        from auditor.store.database import connect, migrated  # noqa: PLC0415  (SQLAlchemy is not for scans)
        from auditor.store.ledger import PostgresLedger  # noqa: PLC0415

        if not self.urls.ledger:
            raise ConfigurationError(
                "AUDITOR_LEDGER_DATABASE_URL is not set",
                advice="Give it to the process that appends and signs, auditor checkpoint, and to no other",
            )
        if self.settings.embedded:
            database = connect(self.urls.ledger, connections=2)
        else:
            database = migrated(self.urls.ledger, setting="AUDITOR_LEDGER_DATABASE_URL", connections=2)
        try:
            yield PostgresLedger(database)
        finally:
            database.close()

    @contextmanager
    def notary(self) -> Iterator[Notary]:
        """Whoever appends and signs; makes the key where there is none yet."""
        from auditor.trust.signing import LogKeys, ensure  # noqa: PLC0415  (only who signs loads this)

        ensure(self.settings.ledger_key)
        keys = LogKeys(self.settings.ledger_key)
        keys.keys()
        with self.ledger() as ledger:
            yield Notary(
                self, Checkpointer(ledger, self.store.open, keys, self.origin, self.clock), keys, ledger.seals()
            )

    def keep_definitions(self, tenant: UUID) -> None:
        """Keep every definition of this library with the tenant; once in a process."""
        if tenant in self.told:
            return
        with self.store.open(tenant) as books:
            kept = ((one.id, one.judged_digest, one.published_digest, one.definition) for one in self.library.checks)
            books.keep_definitions(kept, now=self.clock())
        self.told.add(tenant)

    def issuing(self) -> Issuing:
        """What writes bundles, and reads them back."""
        from auditor.exports.issuing import Issuing  # noqa: PLC0415  (not for scans)
        from auditor.store.reads.bundle_opening import reading  # noqa: PLC0415  (SQLAlchemy is not for scans)
        from auditor.store.tenant_store import EVALUATOR  # noqa: PLC0415

        opening = partial(
            reading, self.app, self.objects, self.library, describer(declared.resource_types()), EVALUATOR
        )
        return Issuing(opening, self.settings.home / "exports", self.blobs, self.keyring, self.library)

    def link(self, finding: UUID) -> str:
        """Where people read about a finding."""
        return f"{self.settings.base_url.rstrip('/')}/findings/{finding}"


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
            enabled=switched_on,
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
        return len(due)

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
    """Appending, signing and going through the logs, over an installation; ``worker.checkpoints.Notary``."""

    def __init__(
        self, installation: Installation, checkpointer: Checkpointer, keys: LogKeys, seals: PostgresSeals
    ) -> None:
        self._here = installation
        self._checkpointer = checkpointer
        self._keys = keys
        self._seals = seals
        self._told: set[tuple[UUID, str]] = set()

    def round(self) -> int:
        """Append all that waits and sign what grew; a log that may not be signed is told of, and the others go on."""
        appended = self._checkpointer.round(self.broken)
        return appended + answer_signatures(self._seals, self._keys, clock=self._here.clock)

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


def plan(books: TenantStore, source: UUID, *, slot: datetime, now: datetime) -> UUID:
    """Plan a run of a source as its scope, its last costs and its manners ask for."""
    own = f"{books.source(source).kind}."
    plain = (kind for kind in declared.resource_types() if isinstance(kind, ResourceType) and kind.name.startswith(own))
    return plan_run(books, source, plain, slot=slot, now=now)


def call_pool(settings: Settings) -> ThreadPoolExecutor:
    """The threads that calls of one process share."""
    return ThreadPoolExecutor(settings.threads, thread_name_prefix="call")


def roles_of(settings: Settings) -> Roles:
    """The roles that a configured installation uses, by the users in its URLs."""
    from auditor.store.provision import Roles, role_of  # noqa: PLC0415  (SQLAlchemy is not for scans)

    usual = Roles()
    urls = (
        settings.migrate_database_url,
        settings.database_url,
        settings.claim_database_url,
        settings.ledger_database_url,
    )
    named = [None if url is None else role_of(url.get_secret_value()) for url in urls]
    return Roles(named[0] or usual.owner, named[1] or usual.app, named[2] or usual.claims, named[3] or usual.ledger)


def _configured(settings: Settings) -> Urls:
    from auditor.store.embedded import Urls  # noqa: PLC0415  (SQLAlchemy is not for scans)

    if settings.database_url is None or settings.claim_database_url is None:
        missing = "AUDITOR_DATABASE_URL" if settings.database_url is None else "AUDITOR_CLAIM_DATABASE_URL"
        raise ConfigurationError(
            f"{missing} is not set",
            advice="Give both roles a URL, or leave both out for the embedded database; docker-compose.yml shows them",
        )
    app, claims = settings.database_url.get_secret_value(), settings.claim_database_url.get_secret_value()
    ledger = "" if settings.ledger_database_url is None else settings.ledger_database_url.get_secret_value()
    return Urls(admin="", owner="", app=app, claims=claims, ledger=ledger)


def _blobs(settings: Settings) -> Blobs:
    """Where evidence lies."""
    from auditor.store.objects.local import LocalBlobs  # noqa: PLC0415  (SQLAlchemy is not for scans)
    from auditor.store.objects.s3 import S3Blobs  # noqa: PLC0415

    if (settings.objects or "").startswith("s3://"):
        return S3Blobs(
            settings.objects or "",
            mode=settings.object_lock,
            endpoint_url=settings.objects_endpoint_url,
            connections=settings.threads,
        )
    return LocalBlobs(settings.objects_dir, locks=settings.object_lock != "off")


def _given(settings: Settings) -> tuple[bytes | None, tuple[Root, ...]]:
    """The root key, if the operator gave one, and the roots they named: a key service wraps what is new, where there is one."""
    from auditor.trust.encryption import LocalRoot, given_root_key  # noqa: PLC0415  (not for scans)
    from auditor.trust.kms import KmsRoot  # noqa: PLC0415

    configured = settings.root_key.get_secret_value() if settings.root_key else None
    root = given_root_key(configured, settings.root_key_file)
    services: tuple[Root, ...] = () if settings.kms_key_arn is None else (KmsRoot(settings.kms_key_arn),)
    return root, services if root is None else (*services, LocalRoot(root))


def _vault(settings: Settings, root: bytes | None, blobs: Blobs, keys: PostgresKeys, clock: Clock) -> Vault:
    """Where evidence lies and the keys beside it, as one."""
    from auditor.store.objects.vault import Vault, address_before  # noqa: PLC0415  (SQLAlchemy is not for scans)
    from auditor.trust.encryption import AesGcm  # noqa: PLC0415

    return Vault(
        blobs,
        keys,
        AesGcm(),
        clock=clock,
        period=settings.retention,
        threads=settings.threads,
        before=None if root is None else address_before(root),
    )
