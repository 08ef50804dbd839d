"""Control: the safeguard as promised, the requirements it serves, its checks with their counts, and people's duties."""

from __future__ import annotations

from flask import Blueprint, abort, render_template

from auditor.store.reads import requirements as reads
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

page = Blueprint("control", __name__)


@page.get("/controls/<id_>")
@needs("posture:read")
def index(id_: str) -> str:
    """One control."""
    context = here()
    with context.open_read(asking().tenant) as conn:
        view = reads.control(conn, context.library, id_, context.clock())
    if view is None:
        abort(404)
    return render_template("pages/control.html", view=view, frameworks=context.library.framework)
