"""Health: whether this process lives, and whether it can serve. Says nothing else to anybody."""

from __future__ import annotations

from flask import Blueprint, Response

from auditor.trust.access import needs
from dashboard.context import here

page = Blueprint("health", __name__)


@page.get("/healthz")
@needs("public")
def alive() -> Response:
    """The process answers."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@page.get("/readyz")
@needs("public")
def ready() -> Response:
    """The database answers too."""
    serving = here().ready()
    return Response(
        "ready\n" if serving else "not ready\n", 200 if serving else 503, content_type="text/plain; charset=utf-8"
    )
