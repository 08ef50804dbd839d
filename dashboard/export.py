"""Lists as CSV and JSON: the filter, the instant and the row count first, then the rows as the page shows them."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from flask import url_for

from auditor.exports.cells import safe_cell
from auditor.proof.canonical import stamp
from dashboard.context import here
from dashboard.words import title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from auditor.store.reads.findings import FindingFilter, FindingRow


_FIXED = (
    "finding", "check", "control", "title", "state", "reason", "severity", "tier", "resource", "resource_name",
    "resource_type", "region", "place", "account", "source", "since", "about_place",
)  # fmt: skip


def as_csv(total: int, rows: Iterator[FindingRow], asked: FindingFilter, as_of: datetime) -> Iterator[str]:
    """Every cell quoted and safe in a spreadsheet; the first line says what this list is."""
    narrowed = ", ".join(f"{name}={value}" for name, value in asked.asked().items()) or "none"
    values, columns = _reader()
    yield _line([f"Findings; filter: {narrowed}; as of {stamp(as_of)}; {total} rows"])
    yield _line(columns)
    for row in rows:
        yield _line([_cell(value) for value in values(row)])


def as_json(total: int, rows: Iterator[FindingRow], asked: FindingFilter, as_of: datetime) -> Iterator[str]:
    """One object; the first line holds filter, instant and row count, then one line per finding."""
    head = {"filter": asked.asked(), "as_of": stamp(as_of), "count": total}
    values, columns = _reader()
    yield json.dumps(head)[:-1] + ', "findings": ['
    for position, row in enumerate(rows):
        yield (",\n" if position else "\n") + json.dumps(
            dict(zip(columns, values(row), strict=True)), ensure_ascii=False
        )
    yield "\n]}\n"


def _reader() -> tuple[Callable[[FindingRow], list[Any]], list[str]]:
    """What turns a row into values, and their names: what is the same for every row is asked for once."""
    library = here().library
    frameworks = [one.id for one in library.frameworks]
    clauses = {check.id: [list(check.requirements(one)) for one in frameworks] for check in library.checks}
    nothing: list[list[str]] = [[] for _ in frameworks]
    prefix = urljoin(here().base_url, url_for("findings.index"))

    def values(row: FindingRow) -> list[Any]:
        return [
            str(row.id), row.check, row.control, title_of(row.check), row.state, row.reason, row.severity, row.tier,
            row.resource, row.resource_name, row.resource_type, row.region, row.place, row.account, row.source_name,
            stamp(row.since), row.about_place, *clauses.get(row.check, nothing), f"{prefix}/{row.id}",
        ]  # fmt: skip

    return values, [*_FIXED, *frameworks, "link"]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe_cell(" ".join(value) if isinstance(value, list) else str(value))


def _line(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(cells)
    return written.getvalue()
