"""Connections: one pool per login role, sessions in UTC, and transactions that know their tenant before anything else.

The tenant is set by the first statement of a transaction and dies with it; without one, policies show no row. A forgotten
transaction is ended by the server, because an idle one holds back every migration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from auditor.domain.errors import ConfigurationError

IDLE_FOR_MS = 300_000
_TENANT = text("SELECT set_config('app.tenant', :tenant, true)")


class Database:
    """A pool of connections of one role. ``close`` when the process ends."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def under(self, tenant: UUID) -> Iterator[Connection]:
        """One transaction that sees and writes rows of this tenant only; committed unless an error leaves it."""
        with self._engine.begin() as connection:
            connection.execute(_TENANT, {"tenant": str(tenant)})
            yield connection

    @contextmanager
    def reading(self, tenant: UUID) -> Iterator[Connection]:
        """One read-only snapshot under this tenant: a count and its rows agree however many statements they take."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(_TENANT, {"tenant": str(tenant)})
            yield connection

    def answers(self) -> bool:
        """Whether the server can be reached now."""
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        except OperationalError:
            return False
        return True

    @contextmanager
    def plain(self) -> Iterator[Connection]:
        """One transaction without a tenant: for claims, and for the functions over identities."""
        with self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give every connection back to the server."""
        self._engine.dispose()


def connect(url: str, *, connections: int = 10) -> Database:
    """The database behind a URL, up to ``connections`` of it at a time; nothing is dialled before it is used."""
    return Database(engine(url, connections=connections))


def answering(url: str, *, setting: str, connections: int = 10) -> Database:
    """The database behind a configured URL, asked once: a wrong setting is a sentence at the start, no traceback later.

    Raises:
        ConfigurationError: It is no URL, or nobody answers there as this role; names the setting.
    """
    try:
        database = connect(url, connections=connections)
        with database.plain() as connection:
            connection.exec_driver_sql("SELECT 1")
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or "it is no PostgreSQL URL").splitlines()[0]
        raise ConfigurationError(
            f"{setting} cannot be used: {said}",
            advice="Check role, password, host and database of that URL, and that PostgreSQL runs there",
        ) from error
    return database


def migrated(url: str, *, setting: str, connections: int = 10) -> Database:
    """The same, of a database that has our tables.

    Raises:
        ConfigurationError: It cannot be used, or no migration has run there.
    """
    database = answering(url, setting=setting, connections=connections)
    with database.plain() as connection:
        if connection.scalar(text("SELECT to_regclass('work') IS NOT NULL")):
            return database
    database.close()
    raise ConfigurationError(f"the database of {setting} has no tables yet", advice="Run: auditor migrate")


def engine(url: str, *, connections: int = 10, autocommit: bool = False) -> Engine:
    """An engine for ``postgresql://`` URLs, over psycopg 3, in UTC."""
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    return create_engine(
        parsed,
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        # years beyond 9999 are not dates in Python: the sentinel of open spans must never be converted to a local zone
        connect_args={"options": f"-c timezone=UTC -c idle_in_transaction_session_timeout={IDLE_FOR_MS}"},
        isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
    )
