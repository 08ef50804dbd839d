"""What the ledger holds back, and no bundle may leave out: told before anything is written, not when the bundle is verified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from auditor.domain.errors import ExportError
from auditor.proof.canonical import stamp
from auditor.proof.segment import AHEAD, BEHIND
from auditor.store.reads import bundle_sql as sql

ADVICE = (
    "A clock was wrong by more than an hour then, and what it noted cannot enter the log any more. Set all clocks by NTP; then take "
    "a period that ends more than a day before that time, or begins after the finding turned again, or a part without it "
    "(--control, --source, --resource)"
)


def refuse_held_back(connection: Connection, as_of: datetime, begins: datetime, narrowed: Mapping[str, Any]) -> None:
    """See that every span to be told has its entry, or is too young to be under the head.

    Raises:
        ExportError: One was held back: without it the others do not follow each other, with it nothing proves it.
    """
    said = {"settled": as_of - BEHIND + AHEAD, "begins": begins}
    row = connection.execute(text(sql.HELD_BACK), {**said, **narrowed}).one_or_none()
    if row is not None:
        raise ExportError(
            f"{row.n} turns in this period are held back from the ledger, first {row.check_id} on {row.native_id} at "
            f"{stamp(row.recorded_at)}",
            advice=ADVICE,
        )


def unproved(resource: str, digest: str) -> ExportError:
    """What to say of evidence that a span rests on and the ledger does not have."""
    return ExportError(
        f"the evidence {digest[:12]} of {resource} is not in the ledger under the head that this bundle reaches to",
        advice=ADVICE,
    )
