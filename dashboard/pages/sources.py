"""Sources: every connected account with its last run and its next one, and those that were let go."""

from __future__ import annotations

from flask import Blueprint, render_template

from auditor.store.reads import inventory as completeness
from auditor.store.reads import sources as reads
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

page = Blueprint("sources", __name__)


@page.get("/sources")
@needs("sources:read")
def index() -> str:
    """The list."""
    context, as_of = here(), here().clock()
    with context.open_read(asking().tenant) as conn:
        shown = reads.sources(conn, as_of)
        inventory = completeness.inventory(conn, as_of)
    return render_template("pages/sources.html", sources=shown, inventory=inventory)
