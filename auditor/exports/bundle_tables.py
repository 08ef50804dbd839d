"""A bundle's tables as CSV, for people who live in spreadsheets: made from the files beside them, every cell safe to open."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from auditor.exports.cells import safe_cell
from auditor.exports.tree import Tree

_FINDING = ("finding", "control", "check", "resource_type", "resource", "name", "region", "place", "source")
_SPAN = (
    "seq", "state", "prev_state", "cause", "severity", "reason", "valid_from", "valid_to", "recorded_at", "judged_as_of",
    "evaluator", "judged_digest", "evidence_digest", "document_digest",
)  # fmt: skip
TABLES: Mapping[str, Sequence[str]] = {
    "coverage": ("source", "place", "resource_type", "state", "detail", "listed", "valid_from", "last_at", "valid_to"),
    "runs": ("source", "slot", "state", "run", "scope_version", "started_at", "finished_at"),
    "scope_changes": ("source", "version", "valid_from", "changed_by", "reason", "rule"),
    "changes": ("at", "kind", "subject", "by", "reason", "detail"),
}
EVIDENCE = (
    "resource", "type", "type_version", "place", "region", "collected_at", "last_at", "caller", "endpoint", "operations", "digest",
)  # fmt: skip


def write_tables(tree: Tree) -> None:
    """One CSV for each file of lines; what opens in a spreadsheet is what the verifier read."""
    for name, columns in TABLES.items():
        tree.stream(f"data/csv/{name}.csv", table(columns, _lines(tree, f"data/{name}.jsonl")))
    tree.stream("data/csv/evidence.csv", table(EVIDENCE, _lines(tree, "data/evidence/index.jsonl")))
    tree.stream("data/csv/findings.csv", table((*_FINDING, *_SPAN), _last_spans(tree)))
    tree.stream("data/csv/spans.csv", table((*_FINDING, *_SPAN), _spans(tree)))


def table(columns: Sequence[str], rows: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    """A CSV row by row, its names first."""
    yield _row(columns)
    for row in rows:
        yield _row([cell(row.get(name)) for name in columns])


def cell(value: Any) -> str:
    """A value as a spreadsheet may show it."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return safe_cell(str(value))


def _lines(tree: Tree, path: str) -> Iterator[Mapping[str, Any]]:
    with tree.open(path) as file:
        for line in file:
            yield json.loads(line)


def _spans(tree: Tree) -> Iterator[Mapping[str, Any]]:
    for finding in _lines(tree, "data/findings.jsonl"):
        for span in finding["spans"]:
            yield {**finding, **span}


def _last_spans(tree: Tree) -> Iterator[Mapping[str, Any]]:
    for finding in _lines(tree, "data/findings.jsonl"):
        yield {**finding, **finding["spans"][-1]}


def _row(cells: Sequence[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return written.getvalue().encode()
