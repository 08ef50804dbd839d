"""Webhooks: whom we tell, a new one with its secret shown once, and the switch to stop one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request, url_for

from auditor.domain.errors import AuditorError, TenancyError
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

if TYPE_CHECKING:
    from uuid import UUID

    from flask.typing import ResponseReturnValue

page = Blueprint("webhooks", __name__)


@page.get("/webhooks")
@needs("webhooks:read")
def index() -> str:
    """The list and the form."""
    return _page()


@page.post("/webhooks")
@needs("webhooks:manage")
def add() -> ResponseReturnValue:
    """A new webhook; its secret stands in this one answer and nowhere else."""
    url = request.form.get("url", "").strip()
    if not url:
        return _page(url=url, error="Enter the address to send to."), 400
    try:
        secret = here().webhooks.add(asking(), url)
    except TenancyError:
        raise
    except AuditorError as error:
        return _page(url=url, error=f"{error}. {error.advice()}".strip()), 400
    return _page(secret=secret, added=url)


@page.post("/webhooks/<uuid:id_>/disable")
@needs("webhooks:manage")
def disable(id_: UUID) -> ResponseReturnValue:
    """Stop sending to one."""
    here().webhooks.disable(asking(), id_)
    return redirect(url_for("webhooks.index"), 303)


def _page(*, url: str = "", error: str = "", secret: str = "", added: str = "") -> str:
    hooks = here().webhooks.list(asking())
    return render_template("pages/webhooks.html", hooks=hooks, url=url, error=error, secret=secret, added=added)
