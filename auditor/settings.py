"""Every setting, read from the environment (``AUDITOR_…``), with defaults under which one process does all."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from auditor.domain.errors import ConfigurationError


def _home() -> Path:
    """A folder of this user's own; for root a service's, which the database's user can reach."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/auditor")
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "auditor"


class Settings(BaseSettings):
    """How this process was configured. Without a database URL the embedded PostgreSQL under ``home`` is used."""

    model_config = SettingsConfigDict(env_prefix="AUDITOR_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(default_factory=_home, description="Folder for embedded data, evidence objects and the root key")
    database_url: SecretStr | None = Field(None, description="PostgreSQL URL of the application role")
    claim_database_url: SecretStr | None = Field(None, description="PostgreSQL URL of the role that leases work")
    migrate_database_url: SecretStr | None = Field(
        None, description="PostgreSQL URL of the schema owner, for migrate only"
    )
    ledger_database_url: SecretStr | None = Field(
        None, description="PostgreSQL URL of the role that appends to the ledger, for checkpoint only"
    )
    ledger_key_file: Path | None = Field(
        None, description="File of the key that signs the ledger, for checkpoint only; else home/ledger.key"
    )
    timestamp_url: str | None = Field(
        None, description="Timestamp authority (RFC 3161) that the latest signed head is shown to once a day"
    )
    timestamp_roots: Path | None = Field(
        None, description="PEM file of roots that time stamps are verified under before they are kept"
    )
    broker_url: SecretStr | None = Field(None, description="Redis URL; in memory when everything runs in one process")
    root_key: SecretStr | None = Field(None, description="32 bytes, base64; else read from, or made in, home/root.key")
    root_key_file: Path | None = Field(None, description="File that holds the root key, such as a mounted secret")
    kms_key_arn: str | None = Field(
        None, description="AWS KMS key that wraps the keys of tenants, instead of a root key"
    )
    objects: str | None = Field(
        None, description="Where evidence objects lie: a folder, or s3://bucket/prefix; by default home/objects"
    )
    objects_endpoint_url: str | None = Field(None, description="Another server that speaks S3, for AUDITOR_OBJECTS")
    object_lock: Literal["off", "governance", "compliance"] = Field(
        "off", description="Lock each evidence object for its retention: off, governance or compliance"
    )
    retention_days: int = Field(
        2192, ge=1, description="How long evidence is kept, from its creation or from when it was last in effect"
    )
    audit_log_days: int = Field(2192, ge=1, description="How long the record of what people did is kept")
    base_url: str = Field(
        "http://127.0.0.1:8420", description="Where people reach the dashboard: links are built on it"
    )
    host: str = Field("127.0.0.1", description="Address that the web process binds")
    port: int = Field(8420, ge=0, le=65535, description="Port that the web process binds")
    egress_allow: str = Field(
        "", description="Networks, comma separated, that webhooks may reach although they are private"
    )
    secure_cookies: bool | None = Field(None, description="Cookies for https only; by default what base_url says")
    log_level: str = Field("info", description="debug, info, warning or error")
    proxies: int = Field(0, ge=0, description="Reverse proxies in front of web, whose X-Forwarded-For is believed")
    lease_seconds: float = Field(
        90.0,
        ge=1,
        le=600,
        description="How long the work of a killed worker waits for another; held on to while it runs",
    )
    threads: int = Field(16, ge=1, le=256, description="Concurrent calls of one collecting unit")

    @property
    def embedded(self) -> bool:
        """Whether the database comes with us instead of from an operator."""
        return self.database_url is None

    @property
    def objects_dir(self) -> Path:
        """Where evidence objects lie when they are kept locally."""
        return Path(self.objects) if self.objects else self.home / "objects"

    @property
    def ledger_key(self) -> Path:
        """Where the key lies that signs the ledger."""
        return self.ledger_key_file or self.home / "ledger.key"

    @property
    def retention(self) -> timedelta:
        """How long evidence is kept."""
        return timedelta(days=self.retention_days)

    @property
    def audit_log(self) -> timedelta:
        """How long the record of what people did is kept."""
        return timedelta(days=self.audit_log_days)


def configured() -> Settings:
    """The settings of this process, from its environment.

    Raises:
        ConfigurationError: A variable cannot be understood; the message names it and never its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        name = f"AUDITOR_{'_'.join(map(str, wrong['loc'])).upper()}"
        raise ConfigurationError(
            f"{name}: {wrong['msg'].lower()}", advice=f"Correct {name}; auditor up --help lists all"
        ) from None
