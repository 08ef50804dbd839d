"""An opened bundle as an auditor meets it: by the link, light, dark and on a phone, without script, and without a way to change it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from werkzeug.serving import make_server

from dashboard.opened import application
from tests.browser.test_bundles_in_browser import sideways
from tests.browser.test_pages_in_browser import CHROMIUM, DESKTOP, PHONE, browser, faults, keep
from tests.integration.test_bundle import world
from tests.integration.test_opened_bundle import ANY_FINDING, Both, both

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

__all__ = ["both", "browser", "world"]  # fixtures: what is asked for by name must be known by name

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM ON THIS MACHINE: pages were not looked at"),
]
PATHS = (
    "/", "/bundle", "/frameworks/soc2", "/controls/no-public-buckets", "/findings", "/findings?state=fail", "/drift?days=30",
    "/coverage", "/sources", "/inventory", "/webhooks",
)  # fmt: skip


@contextmanager
def served(both: Both) -> Iterator[str]:
    """The bundle's dashboard on a free port; gives the link."""
    app, link = application(both.books, base_url="http://127.0.0.1")
    made = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}{urlsplit(link).path}"
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


@pytest.fixture
def looking(browser: Browser, both: Both) -> Iterator[Callable[..., BrowserContext]]:
    """A browser that used the link, in one of the looks."""
    with served(both) as link:

        def look(how: str = "light", *, script: bool = True) -> BrowserContext:
            context = browser.new_context(
                base_url=link.partition("/open/")[0],
                color_scheme="dark" if how == "dark" else "light",
                viewport=PHONE if how == "phone" else DESKTOP,  # type: ignore[arg-type]  # two numbers
                java_script_enabled=script,
                bypass_csp=script,  # axe is put into the page from here
            )
            page = context.new_page()
            page.goto(link)
            assert page.inner_text("h1") == "Posture"
            page.close()
            return context

        yield look


def finding_in(both: Both) -> str:
    return f"/findings/{both.asked(lambda conn: conn.scalar(text(ANY_FINDING)))[1]}"


def source_in(both: Both) -> str:
    return f"/sources/{both.world.source.id}"


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_no_page_of_an_opened_bundle_has_a_fault_that_axe_can_find(
    looking: Callable[..., BrowserContext], both: Both, look: str
) -> None:
    context = looking(look)
    held: dict[str, list[str]] = {}
    page = context.new_page()
    for path in (*PATHS, finding_in(both), source_in(both)):
        page.goto(path)
        wrong = faults(page)
        if sideways(page) > 0:
            wrong.append(f"scrolls {sideways(page)}px sideways")
        if wrong:
            held[path] = wrong
        named = path.partition("?")[0].strip("/").split("/")[0] or "posture"
        keep(page, f"{look}-opened-{named}{'-one' if path.count('/') > 1 else ''}{'-filtered' if '?' in path else ''}")
    context.close()
    assert held == {}


def test_from_the_link_to_the_evidence_by_clicks_alone_without_script_and_without_a_call_to_elsewhere(
    looking: Callable[..., BrowserContext], both: Both
) -> None:
    context = looking(script=False)
    asked: list[str] = []
    said: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: said.append(message.text))
    page = context.new_page()
    page.goto("/")
    assert both.books.bundle.identity[:16] in page.inner_text("aside.banner")
    assert "key not pinned" in page.inner_text("aside.banner")
    page.click("nav >> text=Findings")
    page.goto(f"{page.url}?check=s3.bucket.public_access_blocked&q=charts")
    page.click("main table tbody a >> nth=0")
    assert "arn:aws:s3:::charts" in page.inner_text("main")
    assert page.inner_text("#history ~ div tbody tr:first-child th") == "·Pass"
    page.click("summary >> text=The kept answer")
    assert "aws.s3.bucket" in page.inner_text("[aria-label='Kept evidence']")
    page.click("nav >> text=This bundle")
    assert both.books.bundle.identity in page.inner_text("main")
    assert page.locator("form[method=post]").count() == 0
    assert page.locator("text=Sign out").count() == 0
    context.close()
    assert said == []
    base = f"{urlsplit(asked[0]).scheme}://{urlsplit(asked[0]).netloc}"
    assert [url for url in asked if not url.startswith(base)] == []


def test_a_second_browser_with_the_same_link_is_told_that_it_works_once(browser: Browser, both: Both) -> None:
    with served(both) as link:
        for words in ("Posture", "The link opens this bundle"):
            context = browser.new_context(bypass_csp=True)
            page = context.new_page()
            page.goto(link)
            assert page.inner_text("h1") == words
            assert faults(page) == []
            keep(page, f"opened-{words.split(maxsplit=1)[0].lower()}-first")
            context.close()
