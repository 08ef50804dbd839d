"""Framework: its requirements as a tree, what the machine can say about each, and the controls that answer it."""

from __future__ import annotations

from flask import Blueprint, abort, render_template

from auditor.store.reads import requirements as reads
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

page = Blueprint("framework", __name__)


@page.get("/frameworks/<id_>")
@needs("posture:read")
def index(id_: str) -> str:
    """One framework."""
    context = here()
    with context.open_read(asking().tenant) as conn:
        view = reads.framework(conn, context.library, id_, context.clock())
    if view is None:
        abort(404)
    return render_template("pages/framework.html", view=view)
