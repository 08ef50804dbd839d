"""The guard before every view and the headers after it: who asks, may they, and did they mean it.

Guards: a route without a mark is refused at the start; a request without a session sees the sign-in page and nothing else;
a change needs the form's token *and* must come from our own pages; nothing inline may run, ever.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask, Response, abort, current_app, g, redirect, request, url_for

from auditor.trust.access import PUBLIC, permission_of
from auditor.trust.principals import Principal, principal
from dashboard.context import here

if TYPE_CHECKING:
    from uuid import UUID

    from werkzeug.wrappers import Response as AnyResponse

    from auditor.store.identity import SignedIn

IDLE_FOR = timedelta(hours=2)
LASTS_FOR = timedelta(hours=12)
FORM_FIELD = "form_token"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def install(app: Flask) -> None:
    """Put guard and headers around every request of the application."""
    app.before_request(_guard)
    app.after_request(_headers)


def signed_in() -> SignedIn | None:
    """Who is signed in on this request, if anybody."""
    found: SignedIn | None = g.get("signed_in")
    return found


def asking() -> Principal:
    """The principal of this request.

    Raises:
        RuntimeError: On a public route there is none; asking for it is our bug.
    """
    found = signed_in()
    if found is None:
        raise RuntimeError("a public route has no principal")
    return principal(found.identity, found.tenant.id, found.role)


def token_hash(token: str) -> str:
    """What the database knows of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token() -> str:
    """The token that forms of this browser carry: derived from a cookie that no other site can read or set."""
    base = request.cookies.get(_cookie("session")) or g.get("browser") or request.cookies.get(_cookie("browser"))
    if base is None:
        base = g.browser = secrets.token_urlsafe(32)
    return hmac.new(base.encode(), b"form", hashlib.sha256).hexdigest()


def begin_session(response: AnyResponse, identity: UUID, tenant: UUID) -> None:
    """Open a session under a fresh token, end the one the browser had, and set the cookie."""
    context, now = here(), here().wall_clock()
    end_session(response)
    token = secrets.token_urlsafe(32)
    context.people.open_session(
        token_hash(token),
        identity=identity,
        tenant=tenant,
        now=now,
        expires_at=now + LASTS_FOR,
    )
    _set(response, "session", token, LASTS_FOR)


def end_session(response: AnyResponse) -> None:
    """Revoke the browser's session, if it has one, and take the cookie away."""
    token = request.cookies.get(_cookie("session"))
    if token is not None:
        here().people.revoke_session(token_hash(token), now=here().wall_clock())
        response.delete_cookie(
            _cookie("session"), path="/", secure=here().secure_cookies, httponly=True, samesite="Lax"
        )


def local_target(wanted: str | None) -> str:
    """Where to go after signing in: a path of ours, or the first page."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return "/"
    return wanted


def _guard() -> AnyResponse | None:
    g.correlation = uuid4().hex
    if here().opened is not None and request.method not in READING:
        abort(403)  # before anything else is looked at: of a bundle nothing can be changed
    view = current_app.view_functions.get(request.endpoint or "")
    permission = permission_of(view) if view is not None else None
    token = request.cookies.get(_cookie("session"))
    if token is not None and request.endpoint != "static":
        g.signed_in = here().people.session(
            token_hash(token), now=here().wall_clock(), idle_for=IDLE_FOR.total_seconds()
        )
    if view is None:
        return None  # no such path: routing answers 404
    if permission is None:
        abort(403)
    if permission != PUBLIC:
        if signed_in() is None:
            return _to_sign_in()
        if not asking().may(permission):
            abort(403)
    if request.method not in READING:
        _refuse_forgery()
    return None


def _to_sign_in() -> AnyResponse:
    if request.method != "GET" or request.path.endswith((".csv", ".json")) or here().opened is not None:
        abort(401)
    wanted = request.full_path.rstrip("?")
    return redirect(url_for("sign_in.ask", next=wanted if wanted != "/" else None))


def _refuse_forgery() -> None:
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in {None, "same-origin"}:
        abort(403)
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403)
    known = request.cookies.get(_cookie("session")) or request.cookies.get(_cookie("browser"))
    if known is None or not hmac.compare_digest(request.form.get(FORM_FIELD, "").encode(), form_token().encode()):
        abort(403)


def _headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers["X-Correlation-Id"] = g.get("correlation", "")
    if here().secure_cookies:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=86400"
    else:
        response.headers["Cache-Control"] = "no-store"
    if "browser" in g:
        _set(response, "browser", g.browser, timedelta(days=1))
    return response


def _cookie(kind: str) -> str:
    opened = here().opened
    if opened is not None:  # beside the session of an Auditor at another port of this host: cookies know no ports
        return f"auditor-bundle-{opened.identity[:12]}-{kind}"
    return f"__Host-auditor-{kind}" if here().secure_cookies else f"auditor-{kind}"


def _set(response: AnyResponse, kind: str, value: str, lasts_for: timedelta) -> None:
    response.set_cookie(
        _cookie(kind),
        value,
        max_age=int(lasts_for.total_seconds()),
        path="/",
        secure=here().secure_cookies,
        httponly=True,
        samesite="Lax",
    )
