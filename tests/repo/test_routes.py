"""Doors and walls of the dashboard: every route says what it needs, and no template holds anything inline."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Blueprint

import dashboard
from auditor.domain.opened import Opened
from auditor.trust.access import permission_of
from dashboard.context import DashboardContext
from dashboard.pages import PAGES
from dashboard.security import CSP
from tests.fixtures.database import NOW
from tests.fixtures.pages import bare_context

ROOT = Path(dashboard.__file__).parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PUBLIC = {"static", "sign_in.ask", "sign_in.enter", "health.alive", "health.ready"}


def an_opened_bundle() -> Opened:
    return Opened("d" * 64, "Acme", "auditor", (), NOW, NOW, NOW, False, False, (), (), {}, {})


@pytest.fixture
def context() -> DashboardContext:
    return bare_context()


def test_every_route_names_a_permission_and_only_these_are_public(context: DashboardContext) -> None:
    views = dashboard.create_app(context).view_functions
    asked = {name: permission_of(view) for name, view in views.items()}
    assert {name for name, permission in asked.items() if permission is None} == set()
    assert {name for name, permission in asked.items() if permission == "public"} == PUBLIC


def test_of_an_opened_bundle_the_link_alone_is_public_and_nothing_signs_in_with_a_password(
    context: DashboardContext,
) -> None:
    views = dashboard.create_app(replace(context, opened=an_opened_bundle())).view_functions
    public = {name for name, view in views.items() if permission_of(view) == "public"}
    assert public == {"static", "opened.enter", "health.alive", "health.ready"}


def test_a_route_without_a_permission_stops_the_start(
    context: DashboardContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_door = Blueprint("open_door", __name__)
    open_door.get("/open")(lambda: "come in")
    monkeypatch.setattr(dashboard, "PAGES", (*PAGES, open_door))
    with pytest.raises(RuntimeError, match="open_door"):
        dashboard.create_app(context)


def test_every_page_has_a_module_and_a_template() -> None:
    modules = {path.stem for path in (ROOT / "pages").glob("*.py")} - {"__init__"}
    assert modules == {page.name for page in PAGES}
    assert modules - {"health"} == {path.stem for path in (ROOT / "templates" / "pages").glob("*.html")} - {"error"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_holds_nothing_inline(template: Path) -> None:
    text = re.sub(r"{%.*?%}", " ", template.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"<(script|style)\b", text, re.IGNORECASE)
    assert not re.search(r"\sstyle\s*=", text, re.IGNORECASE)
    assert not re.search(r"\son[a-z]+\s*=", text, re.IGNORECASE)
    assert not re.search(r"javascript:|\bsrcdoc\b|\|\s*safe\b", text, re.IGNORECASE)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_form_that_changes_something_carries_the_token(template: Path) -> None:
    for form in re.findall(r'<form method="post".*?</form>', template.read_text(encoding="utf-8"), re.DOTALL):
        assert "form_token()" in form


def test_nothing_on_a_page_is_fetched_from_elsewhere() -> None:
    for file in (*TEMPLATES, ROOT / "static" / "app.css"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|[:\s]url\(""", text), file.name


def test_the_policy_allows_no_inline_and_no_foreign_code() -> None:
    assert "unsafe" not in CSP
    assert CSP.startswith("default-src 'none'")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_pages_promise_nothing_that_an_auditor_concludes(template: Path) -> None:
    text = re.sub(r"{[{%#].*?[}%#]}", " ", template.read_text(encoding="utf-8"), flags=re.DOTALL).lower()
    assert not re.search(r"\b(compliant|effective|exception|attestation|met|passed)\b", text)
