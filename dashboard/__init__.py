"""What one sees: pages over the store's reads, one module and one template each, behind one guard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from auditor.trust.access import needs, refuse_unmarked
from dashboard import errors, security, words
from dashboard.pages import OF_A_BUNDLE, PAGES, WITHOUT_A_BUNDLE

if TYPE_CHECKING:
    from dashboard.context import DashboardContext

LARGEST_FORM = 64 * 1024


def create_app(context: DashboardContext) -> Flask:
    """The application over a context; plain WSGI, no state of its own.

    Raises:
        RuntimeError: A route names no permission.
    """
    app = Flask("dashboard", root_path=str(Path(__file__).parent))
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    app.extensions["auditor"] = context
    security.install(app)
    words.install(app)
    errors.install(app)
    hidden = OF_A_BUNDLE if context.opened is None else WITHOUT_A_BUNDLE
    for page in PAGES:
        if page.name not in hidden:
            app.register_blueprint(page)
    needs("public")(app.view_functions["static"])
    refuse_unmarked(app.view_functions)
    if context.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=context.proxies, x_proto=context.proxies, x_host=context.proxies)  # type: ignore[method-assign]
    return app
