"""Coverage: how far the looking reached, per place and resource type, and which permission would show more."""

from __future__ import annotations

from flask import Blueprint, render_template

from auditor.store.reads import posture as reads
from auditor.store.reads import sources as cards
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

page = Blueprint("coverage", __name__)


@page.get("/coverage")
@needs("coverage:read")
def index() -> str:
    """The latest look everywhere."""
    context = here()
    with context.open_read(asking().tenant) as conn:
        rows = reads.coverage(conn, context.library, context.clock())
        narrowed = [
            one for one in cards.sources(conn, context.clock()) if one.scope.as_rule() and not one.disconnected_at
        ]
    return render_template(
        "pages/coverage.html", rows=rows, summary=reads.summary(rows), gaps=reads.gaps(rows), narrowed=narrowed
    )
