"""Inventory: accounts and clusters that are listed, against what is connected, left out on purpose, and missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Blueprint, abort, redirect, render_template, request, url_for

from auditor.domain.errors import ConfigurationError, TenancyError
from auditor.store.reads import inventory as reads
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking, signed_in

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from auditor.domain.source import SourceKind

page = Blueprint("inventory", __name__)
KINDS = ("aws", "kubernetes")


@page.get("/inventory")
@needs("sources:read")
def index() -> str:
    """What there is, the missing first."""
    return _page()


@page.post("/inventory/leave-out")
@needs("scope:manage")
def leave_out() -> ResponseReturnValue:
    """Decide that something stays unconnected."""
    return _decide(out=True)


@page.post("/inventory/take-back")
@needs("scope:manage")
def take_back() -> ResponseReturnValue:
    """Decide that it does not."""
    return _decide(out=False)


def _decide(*, out: bool) -> ResponseReturnValue:
    kind, _, native_id = request.form.get("what", "").partition(" ")
    reason, person = request.form.get("reason", "").strip(), signed_in()
    if kind not in KINDS or not native_id or "\x00" in native_id or person is None:
        abort(400)
    decide = here().estate.leave_out if out else here().estate.take_back
    try:
        decide(asking(), cast("SourceKind", kind), native_id, by=person.email, reason=reason)
    except (ConfigurationError, TenancyError) as error:
        return _page(refused=f"{error}. {error.advice()}".strip()), 400
    return redirect(url_for("inventory.index"), 303)


def _page(*, refused: str = "") -> str:
    with here().open_read(asking().tenant) as conn:
        found = reads.inventory(conn, here().clock())
    return render_template("pages/inventory.html", found=found, refused=refused)
