"""What is asked of a tenant: the checks on the kinds of sources that it has, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from auditor.store import schema as db

if TYPE_CHECKING:
    from auditor.domain.control import Library


def asked(conn: sa.Connection, library: Library) -> Library:
    """The library without the checks of kinds that are not connected: no cluster is no reason to be undetermined.

    Where nothing is connected yet, everything is asked.
    """
    source = db.source.c
    kinds = conn.execute(sa.select(source.kind).where(source.disconnected_at.is_(None)).distinct()).scalars().all()
    return library.about(*kinds) if kinds else library
