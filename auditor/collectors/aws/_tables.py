"""What AWS says in its guides and no API tells: tables beside this module, each with its date and its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from auditor.domain.reading import Reading, Seen, Unseen

FOLDER = Path(__file__).parent / "tables"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as written: the day it was looked up, where, and its rows."""

    as_of: date
    sources: tuple[str, ...]
    rows: Mapping[str, Any]


@cache
def table(name: str, rows: str) -> Table:
    """The table of that file; ``rows`` is the name its rows stand under."""
    told = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return Table(told["as_of"], tuple(told["sources"]), told[rows])


def supported_until(name: str, key: Reading[Any], called: str) -> Reading[datetime]:
    """The instant at which the table says that support ends: that day begins, UTC. What is not in it is unseen."""
    if isinstance(key, Unseen):
        return key
    known = table(name, "ends")
    ends = known.rows.get(str(key.value))
    if ends is None:
        return Unseen(f"{called} {key.value} is not in the table of {known.as_of}")
    return Seen(datetime.combine(ends, time(), UTC))
