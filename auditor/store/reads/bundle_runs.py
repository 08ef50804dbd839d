"""The lines of ``runs.jsonl``: what the ledger knows of a run, or that nothing ran in a slot of the schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from auditor.proof.canonical import stamp

Line = Mapping[str, Any]


def slots(source: Row[Any], begins: datetime, known_to: datetime) -> Iterator[datetime]:
    """When runs of a source were due within ``[begins, known_to)``, while it was connected."""
    every = timedelta(seconds=source.every_seconds)
    begins = max(begins, source.created_at)
    ends = min(known_to, source.disconnected_at or known_to)
    slot = source.grid - (source.grid - begins) // every * every
    while slot < ends:
        yield slot
        slot += every


def run_line(row: Row[Any]) -> Line:
    """A run as its manifest has it; one that ended after the head is told as running."""
    if row.facts is None:
        if row.finished_at is None:
            return {**nothing_ran(str(row.source_id), stamp(row.slot), "running"), "run": str(row.run_id)}
        return {
            **nothing_ran(str(row.source_id), stamp(row.slot), "missed"),
            "ended_as": row.state,
            "was": str(row.run_id),
        }
    if row.idx is None:  # it ended after the head
        return {**nothing_ran(str(row.source_id), stamp(row.slot), "running"), "run": str(row.run_id)}
    return {**row.facts, "salt": bytes(row.salt).hex(), "baseline": row.baseline}


def nothing_ran(source: str, slot: str, state: str) -> Line:
    """A slot without a run that ended."""
    return {
        "run": None, "source": source, "slot": slot, "state": state, "scope_version": None, "started_at": None,
        "finished_at": None, "counts": {}, "places": [], "salt": None,
    }  # fmt: skip
