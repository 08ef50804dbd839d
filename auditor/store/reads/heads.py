"""Between which signed heads a bundle tells the ledger: the last one before its period, and one after it, if there is one yet."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from auditor.domain.bundle import Asked
from auditor.domain.errors import ExportError
from auditor.proof.note import Checkpoint, parse_note

SETTLES_FOR = timedelta(days=1)
"""How long after a period's end its last runs may take; from then on every bundle of the period ends at the same head.

Where heads are stamped it is the first of the following day that was, as soon as there is one: it shows more than its neighbours.
"""


_STAMPED = "SELECT min(size) FROM ledger_checkpoint WHERE stamped_at IS NOT NULL AND size >= :n"
_TSR = "SELECT tsa_token FROM ledger_checkpoint WHERE size = :n"


@dataclass(frozen=True, slots=True)
class Heads:
    """Where the ledger's telling begins and ends; without a start it is told from its first entry."""

    start_note: str | None
    start_size: int
    end_note: str
    end_size: int
    as_of: datetime
    end_token: bytes | None = None


def choose(connection: Connection, asked: Asked, *, end_size: int | None = None) -> Heads:
    """The heads for a period; ``end_size`` is one that was chosen before.

    Raises:
        ExportError: Nothing was signed yet that reaches into the period.
    """
    sizes = list(connection.execute(text("SELECT size FROM ledger_checkpoint ORDER BY size")).scalars())

    def at(size: int) -> datetime:
        return signed_at(note_of(connection, size))

    before = bisect_right(sizes, asked.begins, key=at)
    if end_size is None:
        settled = asked.ends + SETTLES_FOR
        after = bisect_right(sizes, settled, key=at)
        chosen = sizes[min(after, len(sizes) - 1)] if sizes else None
        stamped = None if chosen is None else connection.execute(text(_STAMPED), {"n": chosen}).scalar_one()
        if stamped is not None and at(stamped) <= settled + SETTLES_FOR:
            chosen = stamped
    else:
        chosen = end_size
    if chosen is None or at(chosen) <= asked.begins:
        raise ExportError(
            "the ledger has no signed head within this period",
            advice="Wait until a run has ended and the ledger was signed (auditor checkpoint must be running)",
        )
    start = sizes[before - 1] if before else 0
    note = note_of(connection, chosen)
    token = connection.execute(text(_TSR), {"n": chosen}).scalar_one()
    return Heads(note_of(connection, start) if start else None, start, note, chosen, signed_at(note), token)


def note_of(connection: Connection, size: int) -> str:
    """The signed head of a size."""
    return str(connection.execute(text("SELECT note FROM ledger_checkpoint WHERE size = :n"), {"n": size}).scalar_one())


def signed_at(note: str) -> datetime:
    """When a head was signed.

    Raises:
        ExportError: It does not say so.
    """
    at = Checkpoint.parse(parse_note(note).text).at
    if at is None:
        raise ExportError("a signed head does not say when it was signed")
    return at
