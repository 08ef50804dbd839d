"""Findings: the list under a filter that stands in the URL, and the same list as CSV and JSON, row for row."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING
from uuid import UUID

from flask import Blueprint, Response, abort, render_template, request, stream_with_context

from auditor.domain.control import SEVERITIES
from auditor.domain.verdict import VERDICTS
from auditor.store.reads import findings as reads
from auditor.store.reads import posture
from auditor.store.reads.findings import FindingFilter
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.export import as_csv, as_json
from dashboard.security import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from auditor.store.reads.findings import FindingRow

page = Blueprint("findings", __name__)
LIMIT = 50
_WORDS: dict[str, tuple[str, ...]] = {
    "state": (*VERDICTS, "excluded"),
    "severity": SEVERITIES,
    "tier": ("core", "extended"),
    "strength": ("primary", "supporting"),
}


@page.get("/findings")
@needs("findings:read")
def index() -> str:
    """A page of the list."""
    context, asked = here(), asked_for()
    with context.open_read(asking().tenant) as conn:
        try:
            shown = reads.findings(
                conn, context.library, asked, context.clock(), after=request.args.get("after"), limit=LIMIT
            )
        except ValueError:
            abort(400)
        sources = posture.sources(conn)
    return render_template(
        "pages/findings.html",
        shown=shown,
        asked=asked.asked(),
        states=shown.states,
        choices=_choices(),
        sources=sources,
        paging="after" in request.args,
    )


@page.get("/findings.csv")
@needs("findings:read")
def csv() -> Response:
    """Exactly the filtered list, for a spreadsheet."""
    return _stream(as_csv, "text/csv; charset=utf-8", "csv")


@page.get("/findings.json")
@needs("findings:read")
def json() -> Response:
    """Exactly the filtered list, for a program."""
    return _stream(as_json, "application/json", "json")


def asked_for() -> FindingFilter:
    """The filter of the URL; a word that no field knows is refused, so that a typo never widens a list."""
    known = {field.name for field in fields(FindingFilter)}
    if set(request.args) - known - {"after"}:
        abort(400)
    given = {name: value.strip() for name, value in request.args.items() if name in known}
    for name, words in _WORDS.items():
        if given.get(name) and given[name] not in words:
            abort(400)
    if any("\x00" in value for value in given.values()):
        abort(400)
    if given.get("source"):
        try:
            given["source"] = str(UUID(given["source"]))
        except ValueError:
            abort(400)
    return FindingFilter(**given)


def _choices() -> dict[str, tuple[str, ...]]:
    library = here().library
    return {
        "severity": tuple(reversed(SEVERITIES)),
        "framework": tuple(one.id for one in library.frameworks),
        "tier": _WORDS["tier"],
        "strength": _WORDS["strength"],
        "resource_type": tuple(sorted(library.by_resource)),
    }


def _stream(
    write: Callable[[int, Iterator[FindingRow], FindingFilter, datetime], Iterator[str]], kind: str, ending: str
) -> Response:
    context, asked, tenant, as_of = here(), asked_for(), asking().tenant, here().clock()

    def parts() -> Iterator[str]:
        # One transaction holds count and rows; it ends when the last row left, or when the reader goes away.
        with context.open_read(tenant) as conn:
            total, rows = reads.all_findings(conn, context.library, asked, as_of)
            yield from write(total, rows, asked, as_of)

    response = Response(stream_with_context(parts()), content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="findings.{ending}"'
    return response
