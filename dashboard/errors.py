"""Pages for what went wrong: what failed, what to do, and the id under which our log has it. Never a stack, never a name."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, g, render_template, request
from werkzeug.exceptions import HTTPException

from auditor.domain.errors import AuditorError, TenancyError
from auditor.telemetry import logger
from dashboard.context import here

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_ADVICE = {
    400: (
        "The request could not be read",
        "A field of the address or the form holds something this page does not know.",
    ),
    401: ("Signing in is needed", "Sign in, then ask again."),
    403: ("Not allowed", "Your role does not include this, or the form was too old. Reload the page, or ask an owner."),
    404: ("Nothing is here", "The address is wrong, or what it names does not belong to your organisation."),
    405: ("Not possible here", "This page cannot be used in that way. Go back and use its form."),
    413: ("Too large", "The form holds more than this page accepts."),
    429: ("Too many attempts", "Wait fifteen minutes, then try again."),
    500: ("This page failed", "Reload it. If it fails again, tell the operator the correlation id below."),
}
_OF_A_BUNDLE = {
    401: (
        "The link opens this bundle",
        "Use the link that the command printed. It works once; for another browser, start the command again.",
    ),
    403: ("A bundle is read only", "What it tells cannot be changed, here or by whoever made it."),
    404: ("Nothing is here", "The address is wrong, or this bundle does not tell of it."),
}


def install(app: Flask) -> None:
    """Answer every error with a page."""
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(TenancyError, lambda _error: _page(404))
    app.register_error_handler(Exception, _failed)


def _refused(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    return _page(error.code or 500)


def _failed(error: Exception) -> ResponseReturnValue:
    logger("dashboard").error(
        "page.failed", correlation=g.get("correlation", ""), path=request.path, method=request.method, exc_info=error
    )
    advice = error.advice() if isinstance(error, AuditorError) else ""
    return _page(500, advice)


def _page(code: int, advice: str = "") -> ResponseReturnValue:
    known = _ADVICE if here().opened is None else _ADVICE | _OF_A_BUNDLE
    title, usual = known.get(code, (HTTPStatus(code).phrase, "Go back and try another way."))
    return render_template("pages/error.html", code=code, title=title, advice=advice or usual), code
