"""What settings ask for, opened: addresses of databases, where evidence lies, the keys above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.domain.errors import ConfigurationError
from auditor.domain.ports import Clock

if TYPE_CHECKING:
    from auditor.settings import Settings
    from auditor.store.embedded import Urls
    from auditor.store.keys import PostgresKeys, Root
    from auditor.store.objects.blobs import Blobs
    from auditor.store.objects.vault import Vault
    from auditor.store.provision import Roles


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


def configured(settings: Settings) -> Urls:
    """The databases that the operator named.

    Raises:
        ConfigurationError: One of the two roles has none.
    """
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


def blobs_of(settings: Settings) -> Blobs:
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


def given_roots(settings: Settings) -> tuple[bytes | None, tuple[Root, ...]]:
    """The root key, if the operator gave one, and the roots they named: a key service wraps what is new, where there is one."""
    from auditor.trust.encryption import LocalRoot, given_root_key  # noqa: PLC0415  (not for scans)
    from auditor.trust.kms import KmsRoot  # noqa: PLC0415

    configured = settings.root_key.get_secret_value() if settings.root_key else None
    root = given_root_key(configured, settings.root_key_file)
    services: tuple[Root, ...] = () if settings.kms_key_arn is None else (KmsRoot(settings.kms_key_arn),)
    return root, services if root is None else (*services, LocalRoot(root))


def vault_of(settings: Settings, root: bytes | None, blobs: Blobs, keys: PostgresKeys, clock: Clock) -> Vault:
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
