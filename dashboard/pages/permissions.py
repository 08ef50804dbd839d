"""Permissions: which actions a source allows where, as last tested, and the button that tests again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, url_for

from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from flask.typing import ResponseReturnValue

    from auditor.domain.preflight import Answer, Tried

page = Blueprint("permissions", __name__)

SAID: dict[Answer, str] = {
    "allowed": "Allowed",
    "denied": "Denied",
    "opt_in_needed": "Needs signing up",
    "region_off": "Region switched off",
    "unsupported": "Not offered",
    "throttled": "Asked too fast",
    "error": "Broke",
    "not_tried": "Not tried",
}
AS_IT_SHOULD: frozenset[Answer] = frozenset({"allowed", "region_off", "unsupported", "not_tried"})
"""Answers that leave nothing to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One action over the regions; a cell is none where the action is not asked there."""

    action: str
    cells: tuple[Tried | None, ...]

    @property
    def troubles(self) -> tuple[Tried, ...]:
        """The cells that somebody should look at."""
        return tuple(cell for cell in self.cells if cell is not None and cell.answer not in AS_IT_SHOULD)


@page.get("/sources/<uuid:id_>/permissions")
@needs("coverage:read")
def index(id_: UUID) -> str:
    """The last test, troubles first."""
    looked_at, test = here().preflights.latest(asking(), id_)
    regions, rows = matrix(() if test is None else test.tried)
    return render_template(
        "pages/permissions.html",
        source=looked_at,
        test=test,
        regions=regions,
        rows=rows,
        troubles=[row for row in rows if row.troubles],
        allowed=sum(one.answer == "allowed" for one in (test.tried if test else ())),
        SAID=SAID,
    )


@page.post("/sources/<uuid:id_>/permissions")
@needs("sources:manage")
def test(id_: UUID) -> ResponseReturnValue:
    """Ask for a test; the page shows it when a worker is done."""
    here().preflights.ask(asking(), id_)
    return redirect(url_for("permissions.index", id_=id_), 303)


def matrix(tried: Sequence[Tried]) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The regions across and the actions down, each in its place."""
    regions = tuple(sorted({one.region for one in tried}))
    found = {(one.action, one.region): one for one in tried}
    actions = sorted({one.action for one in tried})
    return regions, tuple(Row(action, tuple(found.get((action, name)) for name in regions)) for action in actions)
