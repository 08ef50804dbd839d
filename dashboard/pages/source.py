"""Source: one account, how its last run went, which part of it is audited, and the form that previews and changes that.

The preview stands in the address, so it can be sent to whoever decides; the change needs a reason and says its effect first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, abort, redirect, render_template, request, url_for

from auditor.domain.errors import ConfigurationError
from auditor.domain.scope import Rule, Scope
from auditor.domain.scope_change import ScopePreview, faults
from auditor.store.reads import scope as scopes
from auditor.store.reads import sources as reads
from auditor.store.reads import watching as watches
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking, signed_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from flask.typing import ResponseReturnValue

    from auditor.store.reads.scope import ScopeVersion
    from auditor.store.reads.sources import SourceCard
    from auditor.store.reads.watching import WatchCard

page = Blueprint("source", __name__)
SOON = timedelta(days=14)
"""A token that ends within this is warned about."""
NOUNS = ("regions", "services", "namespaces", "tags", "resources")
CLUSTER_NOUNS = ("namespaces", "resources")
ACCOUNT_NOUNS = tuple(noun for noun in NOUNS if noun != "namespaces")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a form asks about a source, and what of it cannot be meant."""

    source: SourceCard
    watch: WatchCard
    versions: tuple[ScopeVersion, ...]
    scope: Scope
    preview: ScopePreview | None
    errors: tuple[str, ...]


@page.get("/sources/<uuid:id_>")
@needs("sources:read")
def index(id_: UUID) -> str:
    """The source; with a rule in the address, what that rule would do."""
    if set(request.args) - {"preview", *_FIELDS}:
        abort(400)
    return _page(_asked(id_, request.args if "preview" in request.args else None))


@page.post("/sources/<uuid:id_>/scope")
@needs("scope:manage")
def change(id_: UUID) -> ResponseReturnValue:
    """Put the previewed rule in force."""
    asked = _asked(id_, request.form)
    reason = request.form.get("reason", "").strip()
    if asked.errors:
        return _page(asked), 400
    if request.form.get("version") != str(asked.versions[0].scope.version):
        return _page(asked, refused="Somebody changed the scope meanwhile. Look at the preview again"), 409
    try:
        here().estate.change_scope(asking(), id_, asked.scope, by=_name(), reason=reason)
    except ConfigurationError as error:
        return _page(asked, refused=f"{error}. {error.advice()}".strip()), 400
    return redirect(url_for("source.index", id_=id_, _anchor="scope"), 303)


_FIELDS = (*NOUNS, *(f"without_{noun}" for noun in NOUNS))


def _asked(id_: UUID, given: Mapping[str, str] | None) -> _Asked:
    context, as_of = here(), here().clock()
    with context.open_read(asking().tenant) as conn:
        found = reads.sources(conn, as_of, only=id_)
        if not found:
            abort(404)
        versions = scopes.scopes(conn, id_)
        wanted = versions[0].scope if given is None else _typed(given, versions[0].scope)
        services = {check.id.partition(".")[0] for check in context.library.checks}
        there = scopes.namespaces(conn, id_) if found[0].kind == "kubernetes" else None
        errors = () if given is None else faults(wanted, regions=found[0].regions, services=services, namespaces=there)
        preview = scopes.preview(conn, id_, wanted) if given is not None and not errors else None
        watch = watches.watch(conn, id_, as_of)
    return _Asked(found[0], watch, versions, wanted, preview, errors)


def _typed(given: Mapping[str, str], before: Scope) -> Scope:
    """The rule that the fields spell, a line each; which frameworks are asked stays as it is."""
    lists = {
        name: tuple(dict.fromkeys(line.strip() for line in given.get(name, "").splitlines() if line.strip()))
        for name in _FIELDS
    }
    if any("\x00" in line for lines in lists.values() for line in lines):
        abort(400)
    return Scope(
        version=before.version,
        frameworks=before.frameworks,
        **{noun: lists[noun] for noun in NOUNS},
        without=Rule(**{noun: lists[f"without_{noun}"] for noun in NOUNS}),
    )


@dataclass(frozen=True, slots=True)
class _TokenEnd:
    """The end of a token that is kept here, and whether somebody should see to it."""

    at: datetime
    over: bool
    soon: bool


def _token_end(source: SourceCard, now: datetime) -> _TokenEnd | None:
    ends = None if source.access is None else source.access.expires_at
    return None if ends is None else _TokenEnd(ends, ends <= now, ends - now < SOON)


def _page(asked: _Asked, *, refused: str = "") -> str:
    typed = {noun: "\n".join(getattr(asked.scope, noun)) for noun in NOUNS}
    typed |= {f"without_{noun}": "\n".join(getattr(asked.scope.without, noun)) for noun in NOUNS}
    return render_template(
        "pages/source.html",
        source=asked.source,
        watch=asked.watch,
        token_ends=_token_end(asked.source, here().clock()),
        versions=asked.versions,
        preview=asked.preview,
        changes=asked.preview is not None and asked.preview.before.as_rule() != asked.scope.as_rule(),
        errors=asked.errors,
        refused=refused,
        reason=request.form.get("reason", ""),
        typed=typed,
        nouns=CLUSTER_NOUNS if asked.source.kind == "kubernetes" else ACCOUNT_NOUNS,
    )


def _name() -> str:
    """Who decides, as the record shall name them for years."""
    person = signed_in()
    if person is None:
        raise RuntimeError("a guarded route has somebody signed in")
    return person.email
