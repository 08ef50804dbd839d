"""Drift: what turned in a stretch of days, with its cause, and where looking itself turned."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request

from auditor.store.reads import history
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

page = Blueprint("drift", __name__)
LONGEST = 366
ROWS = 200


@page.get("/drift")
@needs("history:read")
def index() -> str:
    """The turns of the last days, seven unless asked otherwise."""
    context = here()
    days = request.args.get("days", 7, type=int)
    kind = request.args.get("kind", "")
    if not 1 <= days <= LONGEST or (kind and kind not in history.KINDS):
        abort(400)
    until = context.clock()
    with context.open_read(asking().tenant) as conn:
        drift = history.drift(conn, context.since(days), until, kind=kind, limit=ROWS)
    return render_template("pages/drift.html", drift=drift, days=days, kind=kind, rows=ROWS)
