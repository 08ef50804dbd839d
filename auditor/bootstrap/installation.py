"""What one process holds open: which store, which objects, which caller, joined once for a command or a process.

Imports of heavy rooms stand where they are needed: a scan must not pay for a database it does not use.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from auditor.bootstrap.clusters import cluster
from auditor.bootstrap.configured import blobs_of, configured, given_roots, vault_of
from auditor.bootstrap.duties import Notary, Work
from auditor.bootstrap.looking import call, now
from auditor.bootstrap.purposes import CLUSTER_TOKEN, REDACTED_VALUE, WEBHOOK_SECRET
from auditor.collectors import declared
from auditor.collectors.pace import Bucket
from auditor.domain.control import Library
from auditor.domain.errors import AuditorError, ConfigurationError
from auditor.domain.events import Event
from auditor.domain.finding import Turn
from auditor.domain.ports import Caller, Clock
from auditor.domain.redaction import Fingerprint
from auditor.domain.scope import Scope
from auditor.domain.scope_change import ScopeChange
from auditor.domain.source import Source
from auditor.pipeline.checkpoint import Checkpointer
from auditor.pipeline.reperform import describer, joined_from
from auditor.pipeline.track import announcement
from auditor.telemetry import logger

if TYPE_CHECKING:
    from auditor.exports.issuing import Issuing
    from auditor.settings import Settings
    from auditor.store.claims import PostgresClaims
    from auditor.store.database import Database
    from auditor.store.embedded import EmbeddedDatabase, Urls
    from auditor.store.identity import Identities
    from auditor.store.keys import PostgresKeys
    from auditor.store.ledger import PostgresLedger
    from auditor.store.objects.blobs import Blobs
    from auditor.store.objects.vault import Vault
    from auditor.store.tenant_store import PostgresStore, PostgresTenantStore
    from auditor.trust.egress import Egress
    from auditor.trust.encryption import Keyring
    from auditor.trust.timestamps import Authority


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
        blobs, (root, roots) = blobs_of(settings), given_roots(settings)
        server = None
        if settings.embedded:
            server = embedded.start(settings.home)
            urls = server.urls
            migrate(urls.owner, Roles())
            app, claims = connect(urls.app), connect(urls.claims, connections=4)
        else:
            urls = configured(settings)
            app = migrated(urls.app, setting="AUDITOR_DATABASE_URL")
            claims = migrated(urls.claims, setting="AUDITOR_CLAIM_DATABASE_URL", connections=4)
        if not roots:  # not before an embedded server has made the folder that its user must reach
            root = root_key(None, settings.home)
            roots = (LocalRoot(root),)
        # Connections of their own: who asks for a key holds one of the store's, and would wait for itself.
        keyed = connect(urls.app, connections=4)
        keys = PostgresKeys(keyed, roots, AesGcm(), clock)
        objects = vault_of(settings, root, blobs, keys, clock)
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
        """A source as we may ask it, of whatever kind; see ``call`` and ``clusters.cluster``.

        Raises:
            CollectionError: It refuses the credentials, is another than the one connected, or may not be dialled.
        """
        if source.access is None:
            return call(source, threads=threads, bucket=bucket)

        def unseal() -> str:
            return self.keyring.open(source.tenant, CLUSTER_TOKEN, source.secret_sealed or b"").decode()

        return cluster(source, source.access, unseal=unseal, egress=self.egress, threads=threads, bucket=bucket)

    def fingerprint(self, tenant: UUID) -> Fingerprint:
        """What stands for a tenant's values that are seen and not kept; nobody can confirm one once the tenant's key is destroyed.

        Raises:
            EvidenceError: It was destroyed.
        """
        from auditor.trust.encryption import fingerprints  # noqa: PLC0415  (not for scans)

        return fingerprints(self.keys.derived(tenant, REDACTED_VALUE))

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
            database = connect(self.urls.ledger, connections=3)
        else:
            database = migrated(self.urls.ledger, setting="AUDITOR_LEDGER_DATABASE_URL", connections=3)
        try:
            yield PostgresLedger(database)
        finally:
            database.close()

    @contextmanager
    def owned(self) -> Iterator[PostgresStore]:
        """The books through the owner of the tables, for the one thing that the application may not do: remove acts.

        Raises:
            ConfigurationError: This process was not given that role.
        """
        from auditor.store.database import migrated  # noqa: PLC0415  (SQLAlchemy is not for scans)
        from auditor.store.tenant_store import PostgresStore  # noqa: PLC0415

        given = self.settings.migrate_database_url
        url = self.urls.owner or ("" if given is None else given.get_secret_value())
        if not url:
            raise ConfigurationError(
                "AUDITOR_MIGRATE_DATABASE_URL is not set",
                advice="Only the owner of the tables may do this: give this one command its URL",
            )
        database = migrated(url, setting="AUDITOR_MIGRATE_DATABASE_URL", connections=1)
        try:
            yield PostgresStore(database, self.objects)
        finally:
            database.close()

    @contextmanager
    def notary(self) -> Iterator[Notary]:
        """Whoever appends and signs; makes the key where there is none yet."""
        from auditor.trust.signing import LogKeys, ensure  # noqa: PLC0415  (only who signs loads this)

        ensure(self.settings.ledger_key)
        keys, authority = LogKeys(self.settings.ledger_key), self.authority()
        keys.keys()
        with self.ledger() as ledger:
            checkpointer = Checkpointer(ledger, self.store.open, keys, self.origin, self.clock)
            yield Notary(self, checkpointer, keys, ledger.seals(), authority)

    def authority(self, url: str | None = None) -> Authority | None:
        """Who stamps, at this address or the configured one; none if there is neither.

        Raises:
            ConfigurationError: The roots that were named cannot be read.
        """
        from auditor.trust.timestamps import Authority, roots_in  # noqa: PLC0415  (only who asks loads this)

        asked, file = url or self.settings.timestamp_url, self.settings.timestamp_roots
        if not asked:
            return None
        return Authority(asked, self.egress.post, [] if file is None else roots_in(file))

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

        types = declared.resource_types()
        opening = partial(
            reading, self.app, self.objects, self.library, describer(types), joined_from(types), EVALUATOR
        )
        return Issuing(opening, self.settings.home / "exports", self.objects, self.library, self.stamped)

    def stamped(self, digest: bytes) -> bytes | None:
        """A time stamp over a digest; none where there is no authority, or none that answers: a bundle does not wait for it."""
        try:
            authority = self.authority()
            return None if authority is None else authority.stamp(digest)
        except AuditorError as error:
            logger(__name__).warning("a bundle goes without a time stamp", problem=str(error), advice=error.advice())
            return None

    def link(self, finding: UUID) -> str:
        """Where people read about a finding."""
        return f"{self.settings.base_url.rstrip('/')}/findings/{finding}"
