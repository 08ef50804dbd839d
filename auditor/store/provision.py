"""Roles, a database, and the steps of the schema: what an operator runs once, and each release again.

Works on any PostgreSQL from 15 to 18 with a role that may create roles and databases. The owner is no superuser and bypasses
nothing; application and claims are members of nothing, or row-level security would be void.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, make_url, text

from auditor.domain.errors import ConfigurationError
from auditor.store.database import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_MIGRATING = 0x61756469746F72
_PROVISIONING = _MIGRATING + 1


@dataclass(frozen=True, slots=True)
class Roles:
    """Who owns the schema, who runs on it, who leases work, who appends to the ledger."""

    owner: str = "auditor_owner"
    app: str = "auditor_app"
    claims: str = "auditor_claims"
    ledger: str = "auditor_ledger"

    def __post_init__(self) -> None:
        for name in self.all:
            if not _NAME.fullmatch(name):
                raise ConfigurationError(
                    f"{name!r} is no role name", advice="Use small letters, digits and underscores."
                )

    @property
    def all(self) -> tuple[str, ...]:
        """Every role, the owner first."""
        return (self.owner, self.app, self.claims, self.ledger)

    @classmethod
    def named(cls, prefix: str) -> Roles:
        """The four roles under a prefix of their own."""
        return cls(f"{prefix}_owner", f"{prefix}_app", f"{prefix}_claims", f"{prefix}_ledger")


def ensure_roles(admin_url: str, roles: Roles, passwords: Mapping[str, str] | None = None) -> None:
    """Make the four login roles where they are missing, and take from them what would void the policies.

    Args:
        admin_url: A role that may create roles.
        roles: Their names.
        passwords: By role name; a role without one keeps what it has.
    """
    with _administer(admin_url) as connection:
        for name in roles.all:
            known = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
            if not known:
                connection.exec_driver_sql(f'CREATE ROLE "{name}" LOGIN NOCREATEDB NOCREATEROLE')
            _refuse_powers(connection, name)
            if passwords and name in passwords:
                literal = connection.scalar(
                    text("SELECT quote_literal(CAST(:password AS text))"), {"password": passwords[name]}
                )
                connection.exec_driver_sql(f'ALTER ROLE "{name}" PASSWORD {_unformatted(str(literal))}')


def ensure_database(admin_url: str, name: str, roles: Roles) -> None:
    """Make the database, owned by the owner, open to the three other roles and to nobody else."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no database name", advice="Use small letters, digits and underscores.")
    with _administer(admin_url) as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            # From PostgreSQL 16 on, who made a role may not act as it without saying so.
            connection.exec_driver_sql(f'GRANT "{roles.owner}" TO CURRENT_USER')
            connection.exec_driver_sql(
                f'CREATE DATABASE "{name}" OWNER "{roles.owner}" TEMPLATE template0 ENCODING \'UTF8\''
            )
    with _administer(role_url(admin_url, database=name)) as connection:
        connection.exec_driver_sql(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        others = ", ".join(f'"{role}"' for role in roles.all[1:])
        connection.exec_driver_sql(f'GRANT CONNECT ON DATABASE "{name}" TO {others}')


def migrate(owner_url: str, roles: Roles) -> None:
    """Bring the schema to this release, as its owner; two at once run one after the other.

    Raises:
        ConfigurationError: The URL is not the owner's: what another role makes would belong to it; or a role is missing.
    """
    from alembic import command  # noqa: PLC0415  (costs a quarter of a second that only this call should pay)
    from alembic.config import Config  # noqa: PLC0415  (likewise)

    found = importlib.util.find_spec("migrations")
    if found is None or found.origin is None:
        raise ConfigurationError("the migrations are not installed", advice="Run from the source tree or the image.")
    config = Config()
    config.set_main_option("script_location", str(Path(found.origin).parent).replace("%", "%%"))
    config.attributes["roles"] = roles
    with closing_engine(owner_url) as connection:
        who = connection.scalar(text("SELECT current_user"))
        if who != roles.owner:
            raise ConfigurationError(
                f"migrations run as {roles.owner}, not as {who}",
                advice="Set AUDITOR_MIGRATE_DATABASE_URL to the owner's URL.",
            )
        there = connection.scalars(
            text("SELECT rolname FROM pg_roles WHERE rolname = ANY (:names)"), {"names": list(roles.all)}
        )
        missing = sorted(set(roles.all) - set(there))
        if missing:
            raise ConfigurationError(
                f"there is no role {missing[0]}",
                advice=f"Make it, as deploy/postgres/roles.sh does: CREATE ROLE {missing[0]} LOGIN NOINHERIT PASSWORD '…', and let it"
                " connect; a role of another name is known by its URL, which migrate then needs",
            )
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def freeze(admin_url: str, role: str) -> None:
    """Let a role write nothing in any session that it begins from now on, and tell the planner what there is to read."""
    with _administer(admin_url) as connection:
        connection.exec_driver_sql(f'ALTER ROLE "{role}" SET default_transaction_read_only = on')
        connection.exec_driver_sql("ANALYZE")


def role_url(url: str, *, role: str | None = None, password: str | None = None, database: str | None = None) -> str:
    """The same server, as another role or for another database."""
    parsed = make_url(url)
    if role is not None:
        parsed = parsed.set(username=role, password=password if password is not None else "")
    if database is not None:
        parsed = parsed.set(database=database)
    return parsed.render_as_string(hide_password=False)


def role_of(url: str) -> str | None:
    """The role that a URL signs in as; none if it leaves that to the environment."""
    return make_url(url).username


@contextmanager
def closing_engine(url: str) -> Iterator[Connection]:
    """One transaction on a connection of its own."""
    pool = engine(url, connections=1)
    try:
        with pool.begin() as connection:
            yield connection
    finally:
        pool.dispose()


@contextmanager
def _administer(url: str) -> Iterator[Connection]:
    pool = engine(url, connections=1, autocommit=True)
    try:
        with closing(pool.connect()) as connection:
            # Two processes that start at once would make the same role or database; held until the connection ends.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _PROVISIONING})
            yield connection
    finally:
        pool.dispose()


def _refuse_powers(connection: Connection, name: str) -> None:
    powers = connection.execute(
        text(
            "SELECT rolsuper OR rolbypassrls AS above, oid IN (SELECT member FROM pg_auth_members) AS member "
            "FROM pg_roles WHERE rolname = :name"
        ),
        {"name": name},
    ).one()
    if powers.above or powers.member:
        raise ConfigurationError(
            f"role {name} is superuser, bypasses row-level security or is a member of another role",
            advice="Give the role no powers: tenants would no longer be kept apart.",
        )


def _unformatted(literal: str) -> str:
    return literal.replace("%", "%%")
