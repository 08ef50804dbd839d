"""Sources, scope and inventory as a person meets them: light, dark, on a phone, by keyboard and without script."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from tests.browser.test_pages_in_browser import CHROMIUM, browser, faults, keep, opened, tab_to
from tests.fixtures.estate import an_estate
from tests.fixtures.pages import a_dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from auditor.store.database import Database

__all__ = ["browser"]  # a fixture: what is asked for by name must be known by name

PREVIEW = "preview=1&without_regions=us-east-1&without_resources=*records*&without_tags=env%3Dsandbox"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM ON THIS MACHINE: pages were not looked at"),
]


@pytest.fixture(scope="module")
def estate(app_database: Database) -> Iterator[tuple[str, str]]:
    """The dashboard over http on a free port, and the path of its source."""
    made = a_dashboard(app_database)
    rows = made.rows("acme")
    source = an_estate(rows)
    rows.look(
        rows.source("alone", account="777777777777"),
        "aws.organizations.account",
        state="denied",
        detail="AccessDeniedException organizations:ListAccounts",
    )
    server = make_server("127.0.0.1", 0, made.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", f"/sources/{source}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_no_page_of_the_estate_has_a_fault_that_axe_can_find(
    browser: Browser, estate: tuple[str, str], look: str
) -> None:
    base, source = estate
    pages = {
        "sources": "/sources",
        "source": source,
        "preview": f"{source}?{PREVIEW}",
        "refused": f"{source}?preview=1&regions=eu-cental-1",
        "inventory": "/inventory",
        "excluded": "/findings?state=excluded",
        "beside": "/",
    }
    context = opened(browser, base, look=look)
    held: dict[str, list[str]] = {}
    for name, path in pages.items():
        page = context.new_page()
        page.goto(path)
        if wrong := faults(page):
            held[name] = wrong
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            held.setdefault(name, []).append(f"scrolls {wide}px sideways")
        keep(page, f"{look}-estate-{name}")
        page.close()
    context.close()
    assert held == {}


def test_a_scope_is_previewed_and_changed_without_mouse_and_script(browser: Browser, estate: tuple[str, str]) -> None:
    base, source = estate
    context = opened(browser, base, script=False)
    page = context.new_page()
    page.goto(source)
    for _ in range(60):
        if page.locator("#f-without_resources:focus").count():
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Control+End")
    page.keyboard.type("\n*records*")
    tab_to(page, "Preview change")
    page.keyboard.press("Enter")
    page.wait_for_url("**preview=1**")
    assert "excludes 1 resource" in page.inner_text("#preview")
    tab_to(page, "Why", within=80)
    page.keyboard.type("no patient data, J. Doe")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sources/*#scope")
    assert "no patient data, J. Doe" in page.inner_text("main")
    page.goto("/findings?state=excluded")
    assert "excluded by id: *records*" in page.inner_text("main")
    context.close()
