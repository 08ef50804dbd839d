"""Every page as a person meets it: light, dark, on a phone, by keyboard, without script; and axe finds nothing.

Set ``AUDITOR_SCREENSHOTS`` to a folder to look at what the tests saw.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from tests.fixtures.pages import PASSWORD, a_dashboard, a_world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from auditor.store.database import Database

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VENDOR = Path(__file__).parent / "vendor"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
FOCUSED = "a:focus, button:focus, input:focus, select:focus, summary:focus"
PATHS = (
    "/",
    "/frameworks/hipaa",
    "/controls/encrypted-storage",
    "/findings",
    "/findings?state=fail&framework=hipaa&tier=core",
    "/findings?q=nothing-like-it",
    "/drift?days=30",
    "/coverage",
    "/webhooks",
    "/nowhere",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM ON THIS MACHINE: pages were not looked at"),
]


@pytest.fixture(scope="module")
def site(app_database: Database) -> Iterator[tuple[str, dict[str, str]]]:
    """The dashboard over http on a free port, and the paths of its findings."""
    made = a_dashboard(app_database, demo=True)
    found = a_world(made.rows("acme"))
    server = make_server("127.0.0.1", 0, made.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", {name: f"/findings/{id_}" for name, id_ in found.items()}
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-default-apps",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield running
        running.close()


def opened(browser: Browser, site: str, *, look: str = "light", script: bool = True) -> BrowserContext:
    """A signed-in browser in one of the looks."""
    context = browser.new_context(
        base_url=site,
        color_scheme="dark" if look == "dark" else "light",
        viewport=PHONE if look == "phone" else DESKTOP,  # type: ignore[arg-type]  # a plain dict of two numbers
        java_script_enabled=script,
        # axe is put into the page from here; the page's own policy is asked for in test_pages
        bypass_csp=script,
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("#email", "owner@acme.example")
    page.fill("#password", PASSWORD)
    page.click("button.primary")
    page.wait_for_url("**/")
    page.close()
    return context


def faults(page: Page) -> list[str]:
    """What axe holds against the page, under WCAG 2.2 AA and its best practices."""
    page.add_script_tag(content=(VENDOR / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(
        """() => axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
             .then(r => r.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 160)}`)))"""
    )
    return [str(one) for one in found]


def keep(page: Page, name: str) -> None:
    folder = os.environ.get("AUDITOR_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_axe_is_the_file_that_was_vendored() -> None:
    told, name = (VENDOR / "axe.min.js.sha256").read_text(encoding="utf-8").split()
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == told
    assert (VENDOR / "axe-core.LICENSE").exists()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_no_page_has_a_fault_that_axe_can_find(browser: Browser, site: tuple[str, dict[str, str]], look: str) -> None:
    base, found = site
    context = opened(browser, base, look=look)
    held: dict[str, list[str]] = {}
    for path in (*PATHS, found["open"], found["covered"], found["gone"], found["place"]):
        page = context.new_page()
        page.goto(path)
        if wrong := faults(page):
            held[path] = wrong
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            held.setdefault(path, []).append(f"scrolls {wide}px sideways")
        named = next((name for name, id_ in found.items() if id_ == path), "") or path.strip("/").replace("/", "-")
        keep(page, f"{look}-{named.partition('?')[0] or 'posture'}{'-filtered' if '?' in named else ''}")
        page.close()
    context.close()
    assert held == {}


def test_the_sign_in_page_has_no_fault_either(browser: Browser, site: tuple[str, dict[str, str]]) -> None:
    context = browser.new_context(base_url=site[0], bypass_csp=True)
    page = context.new_page()
    page.goto("/sign-in")
    assert faults(page) == []
    page.fill("#email", "owner@acme.example")
    page.fill("#password", "not the password")
    page.click("button.primary")
    assert "wrong" in page.inner_text("[role=alert]")
    assert faults(page) == []
    keep(page, "sign-in-wrong")
    context.close()


def test_signing_in_and_reaching_a_finding_needs_no_mouse_and_no_script(
    browser: Browser, site: tuple[str, dict[str, str]]
) -> None:
    context = browser.new_context(base_url=site[0], java_script_enabled=False, viewport=DESKTOP)  # type: ignore[arg-type]  # as above
    page = context.new_page()
    page.goto("/sign-in")
    tab_to(page, "E-mail")
    page.keyboard.type("owner@acme.example")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    assert page.inner_text("h1") == "Posture"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the skip link
    tab_to(page, "HIPAA")
    tab_to(page, "failing findings", within=30)
    page.keyboard.press("Enter")
    page.wait_for_url("**/findings?*state=fail*")
    tab_to(page, "User signs in with a second factor", within=80)
    page.keyboard.press("Enter")
    page.wait_for_url("**/findings/*-*")
    assert "signs in with a password alone" in page.inner_text("main")
    context.close()


def tab_to(page: Page, words: str, *, within: int = 20) -> None:
    """Press Tab until what has the focus says these words, as a person without a mouse does."""
    for _ in range(within):
        page.keyboard.press("Tab")
        focused = page.locator(FOCUSED)
        if focused.count() and words in (focused.text_content() or label_of(page)):
            return
    raise AssertionError(f"Tab does not reach {words!r}")


def label_of(page: Page) -> str:
    id_ = page.locator(FOCUSED).get_attribute("id")
    label = page.locator(f'label[for="{id_}"]')
    return (label.text_content() or "") if id_ and label.count() else ""


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_refused_by_the_policy(
    browser: Browser, site: tuple[str, dict[str, str]]
) -> None:
    base, found = site
    context = opened(browser, base, script=False)
    asked: list[str] = []
    said: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: said.append(message.text))
    for path in (*PATHS[:-1], found["open"], found["hostile"]):
        page = context.new_page()
        page.goto(path)
        page.close()
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(base)] == []
