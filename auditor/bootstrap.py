"""The one place where everything meets: which store, which objects, which caller, joined for a command or a process.

Imports of heavy rooms stand where they are needed: a scan must not pay for a database it does not use.
"""

from __future__ import annotations

import random
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4

from auditor.collectors.aws import resource_types
from auditor.collectors.pace import BURST, RATE, Bucket, LocalBucket
from auditor.domain.control import Library
from auditor.domain.errors import ConfigurationError
from auditor.domain.ports import Caller, Claim, Clock, Queue
from auditor.domain.scope import Scope
from auditor.domain.source import Source
from auditor.pipeline.notify import notify
from auditor.pipeline.plan import places, select
from auditor.pipeline.scan import Scan, scan
from auditor.pipeline.units import Workshop

if TYPE_CHECKING:
    from auditor.collectors.aws._client import AwsCaller
    from auditor.settings import Settings
    from auditor.store.claims import PostgresClaims
    from auditor.store.database import Database
    from auditor.store.embedded import EmbeddedDatabase, Urls
    from auditor.store.identity import Identities
    from auditor.store.objects.local import LocalObjects
    from auditor.store.provision import Roles
    from auditor.store.tenant_store import PostgresStore, PostgresTenantStore
    from auditor.trust.egress import Egress
    from auditor.trust.encryption import Keyring

WEBHOOK_SECRET = "webhook secret"  # noqa: S105  (what a sealed value is bound to, not the value)
PLANNED_AT_ONCE = 50
PLANNING_LEASE = 60.0


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
    return scan(selection, caller, places(there, scope), clock=clock, threads=threads, progress=progress)


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
    objects: LocalObjects
    keyring: Keyring
    egress: Egress
    databases: tuple[Database, ...]
    server: EmbeddedDatabase | None

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
        from auditor.store.objects.local import LocalObjects  # noqa: PLC0415
        from auditor.store.provision import Roles, migrate  # noqa: PLC0415
        from auditor.store.tenant_store import PostgresStore  # noqa: PLC0415
        from auditor.trust.egress import Egress, parse_networks  # noqa: PLC0415
        from auditor.trust.encryption import Keyring, root_key  # noqa: PLC0415
        from controls import shipped  # noqa: PLC0415

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
        configured = settings.root_key.get_secret_value() if settings.root_key else None
        root = root_key(configured, settings.home)
        objects = LocalObjects(settings.objects_dir, root)
        return cls(
            settings=settings,
            library=shipped().only(services) if services else shipped(),
            clock=clock,
            urls=urls,
            store=PostgresStore(app, objects),
            claims=PostgresClaims(claims),
            identities=Identities(app),
            objects=objects,
            keyring=Keyring(root),
            egress=Egress(parse_networks(settings.egress_allow)),
            databases=(app, claims),
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

    def link(self, finding: UUID) -> str:
        """Where people read about a finding."""
        return f"{self.settings.base_url.rstrip('/')}/findings/{finding}"


class Work:
    """``worker.tasks.Duties`` over an installation: each duty is a step of the pipeline under a claim."""

    def __init__(self, installation: Installation, pool: Executor, *, bucket: Bucket | None = None) -> None:
        from auditor.alerts.webhook import WebhookChannel  # noqa: PLC0415  (httpx is not for scans)
        from auditor.store.deliveries import PostgresDeliveries  # noqa: PLC0415

        self._here = installation
        threads, paced = installation.settings.threads, bucket or LocalBucket(RATE, BURST)
        self._workshop = Workshop(
            store=installation.store,
            objects=installation.objects,
            library=installation.library,
            resource_types=resource_types(),
            connect=Callers(lambda source: call(source, threads=threads, bucket=paced)),
            pool=pool,
            clock=installation.clock,
            link=installation.link,
        )
        self._deliveries = PostgresDeliveries(installation.app, self._secret, installation.clock)
        self._channel = WebhookChannel(installation.egress.post)

    def collect(self, claim: Claim) -> None:
        """Look at a unit's place and keep what was seen."""
        self._workshop.collect(claim)

    def assess(self, claim: Claim) -> None:
        """Judge what a unit brought home and track the turns."""
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

    def plan_due(self) -> int:
        """Plan the runs that are due, and say how many were."""
        at = self._here.clock()
        due = self._here.claims.sources(now=at, limit=PLANNED_AT_ONCE, lease_for=PLANNING_LEASE)
        for one in due:
            with self._here.store.open(one.tenant) as books:
                there = places(books.regions(one.source), books.scope(one.source))
                books.plan(one.source, slot=one.slot, now=at, regions=there[1:])
        return len(due)

    def renew(self, claim: Claim, lease_for: float) -> None:
        """Hold the lease for so many seconds from now. Raises ``StaleFenceError`` if somebody else has it."""
        self._here.claims.renew(claim, now=self._here.clock(), lease_for=lease_for)

    def canary(self, queue: Queue) -> None:
        """Note that this queue was heard just now."""
        self._here.claims.heard(queue, now=self._here.clock())

    def _secret(self, tenant: UUID, sealed: bytes) -> str:
        return self._here.keyring.open(tenant, WEBHOOK_SECRET, sealed).decode()


class Callers:
    """Accounts already connected to: their clients cost 20 to 60 ms each, so a process keeps those of its latest sources.

    An identity is asserted anew after ``renew_after``, so a role that was taken away is noticed within the hour.
    """

    def __init__(self, connect: Callable[[Source], Caller], *, size: int = 16, renew_after: float = 3600.0) -> None:
        self._connect = connect
        self._size = size
        self._renew_after = renew_after
        self._known: OrderedDict[Source, tuple[float, Caller]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, source: Source) -> Caller:
        """The source's caller, connected now or within the hour."""
        with self._lock:
            made_at, caller = self._known.get(source, (0.0, None))
            if caller is not None and monotonic() - made_at < self._renew_after:
                self._known.move_to_end(source)
                return caller
        caller = self._connect(source)
        with self._lock:
            self._known[source] = (monotonic(), caller)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return caller


def call_pool(settings: Settings) -> ThreadPoolExecutor:
    """The threads that calls of one process share."""
    return ThreadPoolExecutor(settings.threads, thread_name_prefix="call")


def roles_of(settings: Settings) -> Roles:
    """The roles that a configured installation uses, by the users in its URLs."""
    from auditor.store.provision import Roles, role_of  # noqa: PLC0415  (SQLAlchemy is not for scans)

    usual = Roles()
    urls = (settings.migrate_database_url, settings.database_url, settings.claim_database_url)
    named = [None if url is None else role_of(url.get_secret_value()) for url in urls]
    return Roles(named[0] or usual.owner, named[1] or usual.app, named[2] or usual.claims)


def _configured(settings: Settings) -> Urls:
    from auditor.store.embedded import Urls  # noqa: PLC0415  (SQLAlchemy is not for scans)

    if settings.database_url is None or settings.claim_database_url is None:
        missing = "AUDITOR_DATABASE_URL" if settings.database_url is None else "AUDITOR_CLAIM_DATABASE_URL"
        raise ConfigurationError(
            f"{missing} is not set",
            advice="Give both roles a URL, or leave both out for the embedded database; docker-compose.yml shows them",
        )
    app, claims = settings.database_url.get_secret_value(), settings.claim_database_url.get_secret_value()
    return Urls(admin="", owner="", app=app, claims=claims)
