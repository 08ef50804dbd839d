"""Signing in and out: the same answer and the same time for a wrong password and for nobody, and a limit on guessing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request, url_for

from auditor.telemetry import logger
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import begin_session, end_session, local_target, signed_in

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

page = Blueprint("sign_in", __name__)

WINDOW = timedelta(minutes=15)
PER_EMAIL = 10
PER_ADDRESS = 50
"""Failures within the window after which nobody may try again: an office shares an address, so it may fail more often."""

_WRONG = "E-mail or password is wrong."


@page.get("/sign-in")
@needs("public")
def ask() -> ResponseReturnValue:
    """The form, or the page wanted if somebody is signed in already."""
    wanted = local_target(request.args.get("next"))
    return redirect(wanted) if signed_in() else _form(wanted)


@page.post("/sign-in")
@needs("public")
def enter() -> ResponseReturnValue:
    """Check e-mail and password; on success a new session, on failure the form with one sentence."""
    context, now = here(), here().wall_clock()
    email = request.form.get("email", "").replace("\x00", "").strip().casefold()[:320]
    wanted = local_target(request.form.get("next"))
    keys = {f"email:{email}": PER_EMAIL, f"address:{request.remote_addr}": PER_ADDRESS}
    if any(context.people.failures(key, since=now - WINDOW) >= most for key, most in keys.items()):
        logger("dashboard").warning("sign_in.limited", address=request.remote_addr)
        return _form(wanted, email, "Too many attempts. Wait fifteen minutes, then try again."), 429
    person = context.people.person(email) if email else None
    right = context.passwords.verify(person.password_hash if person else None, request.form.get("password", ""))
    tenants = context.people.tenants_of(person.id, now=now) if person and right else ()
    if person is None or not right or not tenants:
        for key in keys:
            context.people.note_failure(key, now=now)
        return _form(wanted, email, _WRONG), 401
    context.people.forgive(f"email:{email}")
    response = redirect(wanted, 303)
    begin_session(response, person.id, tenants[0][0].id)
    return response


@page.post("/sign-out")
@needs("session:own")
def leave() -> ResponseReturnValue:
    """End the session."""
    response = redirect(url_for("sign_in.ask"), 303)
    end_session(response)
    return response


def _form(wanted: str, email: str = "", error: str = "") -> str:
    return render_template("pages/sign_in.html", wanted=wanted, email=email, error=error)
