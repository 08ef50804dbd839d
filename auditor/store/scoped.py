"""What every part of a tenant's store stands on: one transaction, one tenant, and who judges."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, CursorResult, Row, Table, text

from auditor.domain.errors import StaleFenceError
from auditor.domain.finding import FOREVER
from auditor.domain.ports import Objects
from auditor.domain.source import Unit

_HELD = """
SELECT 1 FROM work
WHERE id = :id AND queue IN ('collect', 'assess') AND fence = :fence AND lease_until IS NOT NULL
FOR UPDATE
"""


class Scoped:
    """A transaction under one tenant; row-level security refuses whatever this code would forget."""

    def __init__(self, connection: Connection, tenant: UUID, objects: Objects, evaluator: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._objects = objects
        self._evaluator = evaluator

    def _run(self, sql: str, **values: Any) -> CursorResult[Any]:
        """Execute one statement; ``:tenant`` and ``:forever`` are always known to it."""
        known = {"tenant": self._tenant, "forever": FOREVER}
        asked = {name: value for name, value in known.items() if f":{name}" in sql}
        return self._connection.execute(text(sql), asked | values)

    def _many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement for many rows, if there are any; ``:tenant_id`` is known to it."""
        if rows:
            self._connection.execute(text(sql), [{"tenant_id": self._tenant, **row} for row in rows])

    def _insert(self, table: Table, rows: Sequence[Mapping[str, Any]], conflict: str = "") -> None:
        """Insert rows of equal columns as one JSON value: several times faster than a statement per row.

        Args:
            table: Where to; it also says how each value is read.
            rows: Columns without the tenant, which is added.
            conflict: An ``ON CONFLICT`` clause, for rows that may be there.
        """
        if not rows:
            return
        names = ", ".join(("tenant_id", *rows[0]))
        sql = (
            f"INSERT INTO {table.name} ({names}) SELECT {names} "  # noqa: S608  (names of our own schema)
            f"FROM jsonb_populate_recordset(CAST(NULL AS {table.name}), CAST(:rows AS jsonb)) {conflict}"
        )
        self._at_once(sql, [{"tenant_id": self._tenant, **row} for row in rows])

    def _at_once(self, sql: str, rows: Sequence[Mapping[str, Any]], **values: Any) -> None:
        """Execute one statement that reads all rows from ``:rows``, a JSON list, if there are any."""
        if rows:
            self._run(sql, rows=json.dumps(rows, default=_plain), **values)

    def _one(self, sql: str, **values: Any) -> Row[Any] | None:
        return self._run(sql, **values).one_or_none()

    def _lock(self, *words: str, shared: bool = False) -> None:
        """One writer at a time over what the words name, until the transaction ends; ``shared`` bars only those who are not."""
        kind = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        self._run(f"SELECT {kind}(hashtextextended(:key, 0))", key="\x1f".join((str(self._tenant), *words)))

    def _hold(self, unit: Unit) -> None:
        """Assert that the unit's lease is still ours and keep it ours until the transaction ends.

        Raises:
            StaleFenceError: Somebody else has taken the unit over, or it was given back or finished.
        """
        if self._one(_HELD, id=unit.id, fence=unit.fence) is None:
            raise StaleFenceError(f"unit {unit.id} is no longer held under fence {unit.fence}")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a row may not hold a {type(value).__name__}")
