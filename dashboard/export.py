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
    from collections.abc import Iterator
    from datetime import datetime

    from auditor.store.reads.findings import FindingFilter, FindingRow


def as_csv(total: int, rows: Iterator[FindingRow], asked: FindingFilter, as_of: datetime) -> Iterator[str]:
    """Every cell quoted and safe in a spreadsheet; the first line says what this list is."""
    narrowed = ", ".join(f"{name}={value}" for name, value in asked.asked().items()) or "none"
    yield _line([f"Findings; filter: {narrowed}; as of {stamp(as_of)}; {total} rows"])
    yield _line(_columns())
    for row in rows:
        yield _line([_cell(value) for value in _values(row).values()])


def as_json(total: int, rows: Iterator[FindingRow], asked: FindingFilter, as_of: datetime) -> Iterator[str]:
    """One object; the first line holds filter, instant and row count, then one line per finding."""
    head = {"filter": asked.asked(), "as_of": stamp(as_of), "count": total}
    yield json.dumps(head)[:-1] + ', "findings": ['
    for position, row in enumerate(rows):
        yield (",\n" if position else "\n") + json.dumps(_values(row), ensure_ascii=False)
    yield "\n]}\n"


def _columns() -> list[str]:
    frameworks = [one.id for one in here().library.frameworks]
    return [
        "finding", "check", "control", "title", "state", "reason", "severity", "tier", "resource", "resource_name",
        "resource_type", "region", "place", "account", "source", "since", "about_place", *frameworks, "link",
    ]  # fmt: skip


def _values(row: FindingRow) -> dict[str, Any]:
    check = here().library.check.get(row.check)
    clauses = [list(check.requirements(one.id)) if check else [] for one in here().library.frameworks]
    link = urljoin(here().base_url, url_for("finding.index", id_=row.id))
    values = [
        str(row.id), row.check, row.control, title_of(row.check), row.state, row.reason, row.severity, row.tier,
        row.resource, row.resource_name, row.resource_type, row.region, row.place, row.account, row.source_name,
        stamp(row.since), row.about_place, *clauses, link,
    ]  # fmt: skip
    return dict(zip(_columns(), values, strict=True))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe_cell(" ".join(value) if isinstance(value, list) else str(value))


def _line(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(cells)
    return written.getvalue()
