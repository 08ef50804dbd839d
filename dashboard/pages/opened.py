"""Opened: what the bundle that is shown is, how it was verified, and where its definitions are not this release's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, redirect, render_template, request, url_for

from auditor.domain.opened import DIFFERENCES
from auditor.exports.bundle_texts import LIMITS
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import begin_session, signed_in

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

page = Blueprint("opened", __name__)


@page.get("/open/<token>")
@needs("public")
def enter(token: str) -> ResponseReturnValue:
    """The link that the command printed: signs in, once."""
    response = redirect(url_for("posture.index"), 303)
    if signed_in() is not None:
        return response
    who = None if request.method == "HEAD" else here().enter(token)
    if who is None:
        abort(401)
    begin_session(response, who.identity, who.tenant.id)
    return response


@page.get("/bundle")
@needs("bundles:read")
def index() -> str:
    """The bundle."""
    shown = here().opened
    if shown is None:
        abort(404)
    differing = sorted(shown.differences.items(), key=lambda one: (DIFFERENCES.index(one[1]), one[0]))
    return render_template("pages/opened.html", bundle=shown, differing=differing, limits=LIMITS)
