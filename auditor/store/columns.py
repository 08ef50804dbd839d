"""How a column is spelled here: small constructors, so that the tables read as lists of words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

FOREVER_SQL = "'9999-12-31 00:00:00+00'::timestamptz"
"""The end of what still holds. Not ``infinity``: psycopg cannot read one."""


def id_(name: str, *, null: bool = False) -> Column[Any]:
    """An id."""
    return Column(name, Uuid, nullable=null)


def words(name: str, *, null: bool = False, default: str | None = None) -> Column[Any]:
    """Text, null only where it says so."""
    return Column(name, Text, nullable=null, server_default=None if default is None else text(f"'{default}'"))


def at(name: str, *, null: bool = False, default: str | None = None) -> Column[Any]:
    """An instant, with its zone."""
    return Column(
        name, DateTime(timezone=True), nullable=null, server_default=None if default is None else text(default)
    )


def number(name: str, *, default: str | None = None, big: bool = False) -> Column[Any]:
    """A whole number."""
    kind = BigInteger if big else Integer
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def json(name: str, *, null: bool = False, default: str = "{}") -> Column[Any]:
    """Plain JSON, for what is read as a whole."""
    return Column(
        name, JSONB(none_as_null=True), nullable=null, server_default=None if null else text(f"'{default}'::jsonb")
    )


def flag(name: str) -> Column[Any]:
    """Yes or no, no by default."""
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def key(*names: str) -> PrimaryKeyConstraint:
    """The primary key, under the tenant."""
    return PrimaryKeyConstraint("tenant_id", *names)


def unique(*names: str) -> UniqueConstraint:
    """What there is once, under the tenant."""
    return UniqueConstraint("tenant_id", *names)


def refers(table: str, *names: str) -> ForeignKeyConstraint:
    """A reference within the tenant: key checks bypass policies, so the tenant is part of every key."""
    columns = ("tenant_id", *names)
    return ForeignKeyConstraint(columns, [f"{table}.{name}" for name in columns])


def tenants(name: str, *items: Any) -> Table:
    """A table whose rows belong to a tenant each."""
    return Table(name, metadata, id_("tenant_id"), *items)
