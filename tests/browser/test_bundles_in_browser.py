"""A bundle's own pages, and the page that hands bundles out: without script, light, dark and on a phone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from auditor.cli.showing import server
from auditor.domain.bundle import Bundle
from auditor.store.database import Database
from tests.browser.test_pages_in_browser import CHROMIUM, DESKTOP, PHONE, browser, faults, keep, opened
from tests.fixtures.pages import a_dashboard
from tests.fixtures.spine import Spine
from tests.integration.test_bundle import unpack, whole, world
from tests.integration.test_bundle_pages import FORM, issued

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser", "whole", "world"]  # fixtures: what is asked for by name must be known by name

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM ON THIS MACHINE: pages were not looked at"),
]


@pytest.fixture(scope="module")
def shown(world: Spine, whole: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bundle that was really created, as ``auditor bundle open`` shows it."""
    with server(unpack(world, whole, tmp_path_factory.mktemp("shown")), 0) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{made.server_address[1]}/data/index.html"
        made.shutdown()
        thread.join()


def sideways(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_from_requirement_to_evidence_by_clicks_alone_without_script(browser: Browser, shown: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=DESKTOP)  # type: ignore[arg-type]  # two numbers
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text))
    page = context.new_page()
    page.goto(shown)
    page.click("text=SOC 2")
    page.locator("tr", has_text="CC6.1").first.locator("a", has_text="public").first.click()
    assert "/control-" in page.url
    page.locator("td a", has_text="Bucket cannot be opened to the public").click()
    assert "/check-s3." in page.url
    assert page.locator("h2", has_text="arn:aws:s3:::charts: pass").count() == 1
    table = page.locator("table", has_text="Spans of arn:aws:s3:::charts")
    assert [row.inner_text() for row in table.locator("tbody tr td:nth-child(3)").all()][:3] == ["pass", "fail", "pass"]
    table.locator("a", has_text="evidence").nth(1).click()
    assert "/data/evidence/" in page.url
    assert "aws.s3.bucket" in page.inner_text("body")
    page.go_back()
    page.click("nav a")
    assert page.url == shown
    assert said == []
    context.close()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_no_page_of_a_bundle_has_a_fault_that_axe_can_find(browser: Browser, shown: str, look: str) -> None:
    context = browser.new_context(
        color_scheme="dark" if look == "dark" else "light",
        viewport=PHONE if look == "phone" else DESKTOP,  # type: ignore[arg-type]  # two numbers
        bypass_csp=True,  # axe is put into the page from here
    )
    base = shown.rpartition("/")[0]
    paths = ["index", "pages/framework-soc2", "pages/coverage", "pages/check-s3.bucket.public_access_blocked.1"]
    held: dict[str, list[str]] = {}
    page = context.new_page()
    page.goto(shown)
    first = page.locator("a[href*=control-]").first.get_attribute("href") or ""
    for path in (*paths, first.removesuffix(".html")):
        page.goto(f"{base}/{path}.html")
        wrong = faults(page)
        if sideways(page) > 0:
            wrong.append(f"scrolls {sideways(page)}px sideways")
        if wrong:
            held[path] = wrong
        keep(page, f"{look}-bundle-{Path(path).name}")
    context.close()
    assert held == {}


@pytest.fixture(scope="module")
def board(app_database: Database) -> Iterator[str]:
    """The dashboard with a bundle that was issued."""
    made = a_dashboard(app_database)
    issued(made)
    served = make_server("127.0.0.1", 0, made.app, threaded=True)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_page_of_bundles_has_no_fault_with_form_estimate_and_history(
    browser: Browser, board: str, look: str
) -> None:
    context = opened(browser, board, look=look)
    page = context.new_page()
    held: dict[str, list[str]] = {}

    def look_at(name: str) -> None:
        wrong = faults(page)
        if sideways(page) > 0:
            wrong.append(f"scrolls {sideways(page)}px sideways")
        if wrong:
            held[name] = wrong
        keep(page, f"{look}-bundles-{name}")

    page.goto("/bundles")
    look_at("form")
    filled(page)
    page.click("text=Estimate")
    page.wait_for_selector("text=nothing can be issued")
    look_at("estimate")
    page.fill("[name=to]", "2026-09-01")
    page.click("text=Estimate")
    page.wait_for_selector("[role=alert]")
    look_at("refused")
    context.close()
    assert held == {}


def test_a_bundle_is_asked_for_and_taken_without_script(browser: Browser, board: str) -> None:
    context = opened(browser, board, script=False)
    page = context.new_page()
    page.goto("/bundles")
    filled(page)
    page.click("main button.primary")
    page.wait_for_url("**/bundles")
    assert "Waiting for a worker" in page.inner_text("main")
    with page.expect_download() as taken:
        page.locator("form[action$='/take'] button").first.click()
    assert taken.value.suggested_filename.endswith(".zip")
    page.reload()
    assert "owner@acme.example, " in page.inner_text("main")
    context.close()


def filled(page: Page) -> None:
    page.fill("[name=from]", FORM["from"])
    page.fill("[name=to]", FORM["to"])
