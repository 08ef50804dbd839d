"""Posture: where we stand, how far we could look, what holds most deviations up, and what changed this week."""

from __future__ import annotations

from flask import Blueprint, render_template

from auditor.store.reads import history
from auditor.store.reads import posture as reads
from auditor.trust.access import needs
from dashboard.chart import chart, donut
from dashboard.context import here
from dashboard.security import asking

page = Blueprint("posture", __name__)
DAYS = 90


@page.get("/")
@needs("posture:read")
def index() -> str:
    """The first page."""
    context, as_of = here(), here().clock()
    with context.open_read(asking().tenant) as conn:
        shown = reads.posture(conn, context.library, as_of)
        week = history.drift(conn, context.since(7), as_of, limit=0)
        days = reads.daily(conn, context.library, until=as_of.date(), days=DAYS)
    names = {one.id: one.name for one in context.library.frameworks}
    return render_template(
        "pages/posture.html",
        shown=shown,
        week=week,
        frameworks=context.library.framework,
        checks=context.library.check,
        charts=[
            chart(
                days,
                {id_: _short(name) for id_, name in names.items()},
                until=as_of.date(),
                shown=DAYS,
                width=width,
                height=height,
            )
            for width, height in ((960, 240), (360, 240))
        ],
        donut=donut,
    )


def _short(name: str) -> str:
    """The first two words at most, to stand at a line's end."""
    words = name.replace("(", " ").split()
    return " ".join(words[:2]) if len(words) > 1 and words[1][:1].isdigit() else words[0]
