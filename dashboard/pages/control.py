"""Control: the safeguard as promised, the requirements it serves, its checks with their counts, and people's duties.

Where a tag took resources out of a check the page counts them by tag: whoever may set a tag may excuse a resource.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, abort, render_template

from auditor.domain.excuse import excusing_tag, reads_tags
from auditor.store.reads import findings
from auditor.store.reads import requirements as reads
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from auditor.domain.control import Control, Library

page = Blueprint("control", __name__)


@page.get("/controls/<id_>")
@needs("posture:read")
def index(id_: str) -> str:
    """One control."""
    context = here()
    with context.open_read(asking().tenant) as conn:
        now = context.clock()
        view = reads.control(conn, context.library, id_, now)
        if view is None:
            abort(404)
        excused = _excused(conn, context.library, view.control, now)
    return render_template("pages/control.html", view=view, excused=excused, frameworks=context.library.framework)


def _excused(
    conn: sa.Connection, library: Library, control: Control, as_of: datetime
) -> Mapping[str, tuple[tuple[str, int], ...]]:
    """Per check how many resources each tag excuses, the most used tag first; checks that ask no tag are left out."""
    counted: dict[str, Counter[str]] = {
        check.id: Counter() for check in control.checks if reads_tags(check.definition.get("applies_when"))
    }
    if counted:
        asked = findings.FindingFilter(control=control.id, state="not_applicable")
        for check, reason, n in findings.reasons(conn, library, asked, as_of):
            if check in counted and (tag := excusing_tag(reason)):
                counted[check][tag] += n
    return {check: tuple(sorted(tags.items(), key=lambda each: (-each[1], each[0]))) for check, tags in counted.items()}
