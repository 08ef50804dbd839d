"""Bundles: one asked for by a person with an estimate beside it, how far it is, and every one issued with who took it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from auditor.domain.bundle import Asked, Estimate
from auditor.domain.errors import AuditorError, ConfigurationError, TenancyError
from auditor.domain.sample import read_sample
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking, signed_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from flask.typing import ResponseReturnValue

page = Blueprint("bundles", __name__)

STATES = {
    "asked": "Waiting for a worker",
    "building": "Being written",
    "signing": "Waiting for the signature",
    "done": "Issued",
    "failed": "Failed",
}


@page.get("/bundles")
@needs("bundles:read")
def index() -> str:
    """The history, and the form."""
    return _page(_usual())


@page.post("/bundles/estimate")
@needs("bundles:create")
def estimate() -> ResponseReturnValue:
    """What a bundle of this period would hold; nothing is asked for yet."""
    try:
        asked = _asked(request.form)
    except AuditorError as error:
        return _page(request.form, error=str(error)), 400
    return _page(request.form, told=here().bundles.estimate(asking(), asked))


@page.post("/bundles")
@needs("bundles:create")
def create() -> ResponseReturnValue:
    """Ask for a bundle; a worker writes it."""
    try:
        asked = _asked(request.form)
        here().bundles.ask(asking(), asked, by=_by())
    except TenancyError:
        raise
    except AuditorError as error:
        return _page(request.form, error=str(error)), 400
    return redirect(url_for("bundles.index"), 303)


@page.post("/bundles/<uuid:id_>/take")
@needs("bundles:read")
def take(id_: UUID) -> ResponseReturnValue:
    """The file; that it was taken is written down before its first byte leaves."""
    name, size, parts = here().bundles.take(asking(), id_, by=_by())
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "Content-Length": str(size)}
    return Response(parts, mimetype="application/zip", headers=headers)


def _page(said: Mapping[str, str], *, told: Estimate | None = None, error: str = "") -> str:
    library = here().library
    values = said if isinstance(said, MultiDict) else MultiDict(said)
    return render_template(
        "pages/bundles.html",
        bundles=here().bundles.list(asking()),
        sources=here().bundles.sources(asking()),
        frameworks=library.frameworks,
        controls=[one for one in library.controls if one.checks],
        chosen=values,
        estimate=told,
        error=error,
        STATES_OF=STATES,
        kept_for=here().retention,
    )


def _usual() -> dict[str, str]:
    """The month that is over."""
    first = here().clock().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before = (first - timedelta(days=1)).replace(day=1)
    return {"from": f"{before:%Y-%m-%d}", "to": f"{first:%Y-%m-%d}"}


def _asked(said: MultiDict[str, str]) -> Asked:
    library = here().library
    frameworks, controls = said.getlist("framework"), said.getlist("control")
    for named, known in ((frameworks, library.framework), (controls, library.control)):
        unknown = [one for one in named if one not in known]
        if unknown:
            raise ConfigurationError(f"{unknown[0]} is not in the library")
    sources = {str(one.id) for one in here().bundles.sources(asking())}
    wanted = said.getlist("source")
    if not sources.issuperset(wanted):
        raise ConfigurationError("that source is not connected")
    sample = said.get("sample", "")
    return Asked(
        frameworks=tuple(frameworks),
        begins=_day(said.get("from", "")),
        ends=_day(said.get("to", "")),
        controls=tuple(controls),
        sources=tuple(wanted),
        resources=read_sample(sample) if sample.strip() else (),
    )


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigurationError(f"{text or 'an empty field'} is no day: write it as 2026-01-31") from error


def _by() -> str:
    found = signed_in()
    return found.email if found is not None else str(asking().identity)
