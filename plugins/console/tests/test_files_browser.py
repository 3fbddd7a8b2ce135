"""Editing a file that is served, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import Watched, axe_script, serious_violations
from tests.support.console import SHOP, Served, serve

from .test_browser import SCREENSHOTS

CONTROL = """\
    - type: control
      port: 0
      authentication: {type: basic, username: grace, password: "{{env.TOKEN}}"}
"""
LOOK_UP = "\n        - {name: look-up, description: Looks up an order., ref: orders.find-order}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    options = ("--console-edit", "--plugin-setting", "console.authentication=control")
    yield from serve(tmp_path_factory.mktemp("shop"), SHOP + CONTROL, *options)


@pytest.fixture(scope="module")
def logged_in(browser: Browser, shop: Served) -> Any:
    """The cookies of a browser that used the login link."""
    with browser.new_context() as context:
        context.new_page().goto(shop.link())
        expect(context.pages[0].get_by_role("link", name="Files")).to_be_visible()
        yield context.storage_state()


@pytest.fixture
def context(browser: Browser, logged_in: Any) -> Iterator[BrowserContext]:
    with browser.new_context(storage_state=logged_in, viewport={"width": 1360, "height": 860}) as context:
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def page(context: BrowserContext, shop: Served) -> Iterator[Page]:
    shop.file.write_text(SHOP + CONTROL)
    watched = Watched(context.new_page())
    yield watched.page
    assert watched.errors == []
    assert watched.hosts <= {urlsplit(shop.url).hostname}


def open_file(page: Page, shop: Served) -> None:
    page.goto(shop.url)
    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="shop.yaml").click()
    expect(page.get_by_role("textbox", name="Text of shop.yaml")).to_be_visible()


def type_after(page: Page, text: str, typed: str) -> None:
    """Find a text in the editor by its search, and type after it."""
    page.get_by_role("textbox", name="Text of shop.yaml").focus()
    page.keyboard.press("Control+Home")
    page.keyboard.press("Control+f")
    expect(page.get_by_role("textbox", name="Find")).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.insert_text(typed)


def tools(page: Page, shop: Served) -> list[str]:
    """Return the tools that a client of the exposer sees."""
    sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Accept": "application/json, text/event-stream"}
    response = page.request.post(shop.url_of("shop-tools"), data=sent, headers=headers)
    text = response.text()
    return [name for name in ("create-order", "find-order", "look-up") if f'"name":"{name}"' in text.replace(" ", "")]


def test_a_change_from_a_problem_to_a_tool_that_is_served(page: Page, shop: Served) -> None:
    open_file(page, shop)
    expect(page.get_by_text("0 errors, 0 warnings")).to_be_visible()
    expect(page.get_by_role("button", name="Review changes")).to_be_disabled()
    last = "{name: find-order, description: Finds an order by its number., ref: orders.find-order}"
    type_after(page, last, LOOK_UP.replace("find-order", "fnid-order"))
    found = page.get_by_role("region", name="Problems of the text").get_by_role("listitem")
    expect(found).to_contain_text("fnid-order")
    line = SHOP[: SHOP.index(last)].count("\n") + 2
    expect(found.get_by_role("button")).to_contain_text(f"{line}:")
    expect(page.locator(".cm-lintRange-error")).to_have_text("orders.fnid-order")
    assert shop.file.read_text() == SHOP + CONTROL

    page.get_by_role("button", name="Review changes").click()
    expect(page.get_by_text("The text has 1 error.")).to_be_visible()
    page.get_by_role("button", name="Back to the text").click()
    found.get_by_role("button").click()
    page.keyboard.press("End")
    for _ in "fnid-order}":
        page.keyboard.press("Backspace")
    page.keyboard.insert_text("find-order}")
    expect(page.get_by_text("0 errors, 0 warnings")).to_be_visible()

    page.keyboard.press("Control+s")
    added = page.get_by_role("region", name="Changes of shop.yaml").locator("tr.added")
    expect(added).to_have_count(1)
    expect(added).to_contain_text("look-up")
    assert "look-up" not in tools(page, shop)
    page.get_by_role("button", name="Save and reload").click()
    expect(page.get_by_role("status").filter(has_text="Saved and reloaded")).to_be_visible()
    expect(page.get_by_role("textbox", name="Text of shop.yaml")).to_be_focused()
    assert shop.file.read_text() == (SHOP + CONTROL).replace(last, last + LOOK_UP)
    assert tools(page, shop) == ["create-order", "find-order", "look-up"]
    page.get_by_role("link", name="Operations").click()
    expect(page.get_by_role("link", name="look-up")).to_be_visible()


def test_a_reload_that_fails_is_shown(page: Page, shop: Served) -> None:
    open_file(page, shop)
    before = tools(page, shop)
    type_after(page, "call: api.find", "x")
    page.get_by_role("button", name="Review changes").click()
    page.get_by_role("button", name="Save and reload").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Saved, but not reloaded: the files have errors.")
    expect(alert).to_contain_text("unknown operation 'api.findx'")
    assert "api.findx" in shop.file.read_text()
    assert tools(page, shop) == before
    page.get_by_role("link", name="Problems").click()
    page.locator(".problems a").click()
    expect(page.locator(".cm-activeLine")).to_contain_text("api.findx")


def test_a_conflict(context: BrowserContext, shop: Served) -> None:
    shop.file.write_text(SHOP + CONTROL)
    watched = Watched(context.new_page())
    page = watched.page
    open_file(page, shop)
    type_after(page, "Sells books and toys", " and games")
    shop.file.write_text((SHOP + CONTROL).replace("label: Shop", "label: Store"))
    page.get_by_role("button", name="Review changes").click()
    expect(page.get_by_role("alert")).to_contain_text("The file on the disk has changed since you opened it.")
    expect(page.locator("tr.removed")).to_contain_text("label: Store")
    # A further change, after the comparison, is not lost either.
    shop.file.write_text((SHOP + CONTROL).replace("label: Shop", "label: Market"))
    page.get_by_role("button", name="Save and reload").click()
    expect(page.get_by_role("alert").first).to_contain_text("has changed on the disk meanwhile; compare it again")
    assert "label: Market" in shop.file.read_text()
    # The browser itself notes a status of an error.
    assert watched.errors == ["Failed to load resource: the server responded with a status of 409 (Conflict)"]
    page.get_by_role("button", name="Discard my text and open the file again").click()
    expect(page.get_by_role("textbox", name="Text of shop.yaml")).to_contain_text("label: Market")
    expect(page.get_by_role("button", name="Review changes")).to_be_disabled()


def test_a_text_that_is_not_saved_stays_while_other_views_are_open(page: Page, shop: Served) -> None:
    open_file(page, shop)
    type_after(page, "Sells books and toys", " and games")
    page.get_by_role("link", name="Calls").click()
    page.get_by_role("link", name="Files").click()
    expect(page.get_by_text("not saved")).to_be_visible()
    page.get_by_role("link", name="shop.yaml").click()
    expect(page.get_by_role("textbox", name="Text of shop.yaml")).to_contain_text("toys and games")
    page.get_by_role("button", name="Discard changes").click()
    expect(page.get_by_role("textbox", name="Text of shop.yaml")).not_to_contain_text("toys and games")


def test_the_keyboard_is_enough(page: Page, shop: Served) -> None:
    open_file(page, shop)
    type_after(page, "call: api.find", "x")
    expect(page.get_by_text("1 error, 0 warnings")).to_be_visible()
    page.keyboard.press("Control+Home")
    page.keyboard.press("F8")
    expect(page.locator(".cm-activeLine")).to_contain_text("api.findx")
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="Problems of the text").get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("heading", name="Changes", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save and reload")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Text of shop.yaml")).to_be_focused()


def test_a_read_only_file(page: Page, shop: Served) -> None:
    shop.file.chmod(0o444)
    try:
        open_file(page, shop)
        expect(page.get_by_text("You cannot save changes: the file is read-only")).to_be_visible()
        type_after(page, "Sells books", " and games")
        expect(page.get_by_text("not saved")).to_be_visible()
        expect(page.get_by_role("button", name="Review changes")).to_be_disabled()
    finally:
        shop.file.chmod(0o644)


def test_a_read_only_session(browser: Browser, shop: Served) -> None:
    credentials: Any = {"username": "grace", "password": "mock-SHOP_TOKEN"}
    with browser.new_context(http_credentials=credentials) as context:
        watched = Watched(context.new_page())
        page = watched.page
        page.goto(f"{shop.url}/login")
        page.get_by_role("button", name="Log in with credentials").click()
        expect(page.get_by_text("read-only", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="Problems")).to_be_visible()
        expect(page.get_by_role("link", name="Files")).to_have_count(0)
        page.goto(f"{shop.url}/#/operations")
        page.get_by_role("link", name="find-order").last.click()
        expect(page.get_by_text("This session is read-only")).to_be_visible()
        expect(page.get_by_role("button", name="Send")).to_have_count(0)
        expect(page.get_by_role("tabpanel")).to_contain_text("https://api.example.com/v1/orders/")
        assert watched.errors == []
        assert context.request.get(f"{shop.url}/api/files").status == 403


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 400)])
def test_accessibility(browser: Browser, shop: Served, logged_in: Any, scheme: Any, width: int) -> None:
    script = axe_script()
    shop.file.write_text(SHOP + CONTROL)
    options: Any = {"viewport": {"width": width, "height": 860}, "color_scheme": scheme, "storage_state": logged_in}
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.goto(f"{shop.url}/#/files")
        expect(page.get_by_role("link", name="shop.yaml")).to_be_visible()
        assert serious_violations(page, script) == []
        open_file(page, shop)
        type_after(page, "call: api.find", "x # not yet")
        expect(page.get_by_text("1 error, 0 warnings")).to_be_visible()
        page.keyboard.press("Control+f")
        assert serious_violations(page, script) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Review changes").click()
        expect(page.get_by_role("region", name="Changes of shop.yaml")).to_be_visible()
        assert serious_violations(page, script) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_screenshots(page: Page, shop: Served) -> None:
    """The pictures of the documentation, made again when they are missing."""
    if all((SCREENSHOTS / f"{name}.png").exists() for name in ("edit", "review")):
        pytest.skip("docs/how-to/console has them; delete them to make them again")
    Path(SCREENSHOTS).mkdir(exist_ok=True)
    open_file(page, shop)
    type_after(page, "call: api.find", "x")
    expect(page.get_by_text("1 error, 0 warnings")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "edit.png")
    page.keyboard.press("Backspace")
    type_after(page, "Finds an order by its number", ", also an old one")
    expect(page.get_by_text("0 errors, 0 warnings")).to_be_visible()
    page.get_by_role("button", name="Review changes").click()
    expect(page.get_by_role("region", name="Changes of shop.yaml")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "review.png", clip={"x": 0, "y": 0, "width": 1360, "height": 460})
