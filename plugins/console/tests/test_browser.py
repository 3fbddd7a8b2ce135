"""The console in a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import Watched, axe_script, serious_violations
from tests.support.console import SHOP, Served, serve, warehouse
from tests.support.paths import ROOT

ORDER = {"customer": {"name": "Ada", "address": {"city": "Paris"}}, "items": [{"article": "book", "count": 2}]}
SCREENSHOTS = ROOT / "docs/how-to/console"


@pytest.fixture(scope="module")
def logged_in(browser: Browser, shop: Served) -> Any:
    """The cookies of a browser that used the login link."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(shop.link())
        expect(page).to_have_title("Overview · adapter-host")
        assert page.url == f"{shop.url}/"
        yield context.storage_state()


@pytest.fixture
def context(browser: Browser, logged_in: Any) -> Iterator[BrowserContext]:
    with browser.new_context(storage_state=logged_in, viewport={"width": 1360, "height": 860}) as context:
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def page(context: BrowserContext, shop: Served) -> Iterator[Page]:
    watched = Watched(context.new_page())
    yield watched.page
    assert watched.errors == []
    assert watched.hosts <= {urlsplit(shop.url).hostname}


def open_operation(page: Page, shop: Served, exposer: str, name: str) -> None:
    page.goto(f"{shop.url}/#/operations")
    page.get_by_label("Exposer").select_option(exposer)
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def test_first_load(page: Page, shop: Served) -> None:
    page.goto(shop.url)
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    expect(page.get_by_text("mock", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="shop-tools")).to_contain_text(shop.url_of("shop-tools"))
    page.get_by_role("link", name="shop-tools").click()
    expect(page.get_by_text("2 operations")).to_be_visible()


def test_a_login_link_that_was_used(browser: Browser, shop: Served, logged_in: Any) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(shop.link())
        expect(page.get_by_role("alert")).to_contain_text("This login link is not valid")
        page.goto(shop.url)
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_what_an_agent_sees(page: Page, shop: Served) -> None:
    open_operation(page, shop, "shop-tools", "create-order")
    reference = page.locator(".reference .schema")
    expect(reference.get_by_text("The full name")).to_be_visible()
    expect(page.locator(".upstream")).to_contain_text("POST https://api.example.com/v1/orders")
    expect(page.get_by_text(re.compile(r"^\d+ tokens$"))).to_be_visible()
    reference.get_by_role("button", name="show fields").click()
    expect(reference.get_by_text("street")).to_be_visible()


@pytest.mark.parametrize(
    ("exposer", "name", "way"),
    [
        ("shop", "POST /orders", "REST"),
        ("shop-tools", "create-order", "MCP"),
        ("shop-tools", "create-order", "Direct"),
    ],
)
def test_try_a_call_and_see_it(page: Page, shop: Served, exposer: str, name: str, way: str) -> None:
    open_operation(page, shop, exposer, name)
    page.get_by_label("city").fill("Paris")
    page.get_by_label("priority").select_option("express")
    page.get_by_role("button", name="Add item to items").click()
    page.get_by_label("article").nth(1).fill("atlas")
    page.get_by_label("count").nth(1).fill("3")
    page.get_by_text(way, exact=True).last.click()
    page.get_by_role("tab", name="Upstream").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("atlas")
    expect(page.get_by_role("tabpanel")).to_contain_text('"method": "POST"')
    page.get_by_role("button", name="Send").click()
    panel = page.get_by_role("tabpanel")
    expect(panel.locator(".badge").first).to_have_text("200")
    expect(panel.get_by_label("Response body")).to_contain_text('"id"')
    expect(panel.get_by_role("row")).to_contain_text(["create-order", "api.create"])
    request_id = panel.locator("p.small code").last.inner_text()
    page.get_by_role("link", name="Calls").click()
    page.get_by_label("Filter calls").fill(request_id)
    row = page.get_by_label("Calls", exact=True).get_by_role("row").nth(1)
    expect(row).to_contain_text("create-order")
    row.get_by_role("button").click()
    expect(page.get_by_label("Steps")).to_contain_text("api.create")


def test_arguments_that_are_invalid(page: Page, shop: Served) -> None:
    open_operation(page, shop, "shop-tools", "create-order")
    page.get_by_label("count").fill("many")
    page.get_by_text("Direct", exact=True).click()
    page.get_by_role("button", name="Send").click()
    panel = page.get_by_role("tabpanel")
    expect(panel.locator(".badge").first).to_have_text("400")
    expect(panel.get_by_role("alert")).to_contain_text("count")


def test_the_same_call_elsewhere(page: Page, shop: Served) -> None:
    open_operation(page, shop, "shop", "GET /orders/{number}")
    page.get_by_label("number").fill("a/7'")
    page.get_by_role("tab", name="curl").click()
    expect(page.get_by_role("tabpanel")).to_contain_text(f"curl {shop.url_of('shop')}/orders/a%2F7%27")
    page.get_by_role("tab", name="Python").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("httpx.request")
    page.get_by_role("tab", name="Command").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("shop.find-order 'number=a/7'\"'\"''")


def test_the_form_and_the_json_are_the_same(page: Page, shop: Served) -> None:
    open_operation(page, shop, "shop-tools", "create-order")
    page.get_by_label("city").fill("Rome")
    page.get_by_text("JSON", exact=True).click()
    field = page.get_by_label("Arguments as JSON")
    arguments = json.loads(field.input_value())
    assert arguments["customer"]["address"]["city"] == "Rome"
    arguments["customer"]["name"] = "Grace"
    field.fill(json.dumps(arguments))
    page.get_by_text("Form", exact=True).click()
    expect(page.get_by_label("name").first).to_have_value("Grace")


def test_the_keyboard_is_enough(page: Page, shop: Served) -> None:
    page.goto(f"{shop.url}/#/operations")
    expect(page.get_by_text("4 operations")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("find")
    expect(page.get_by_text("2 operations")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="find-order")).to_be_visible()
    page.get_by_label("number").focus()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("tabpanel").locator(".badge").first).to_have_text("200")


def test_a_broken_file(page: Page, shop: Served) -> None:
    page.goto(f"{shop.url}/#/problems")
    expect(page.get_by_text("No problems and no warnings.")).to_be_visible()
    shop.file.write_text(SHOP.replace("call: api.find", "call: api.fnid"))
    try:
        page.get_by_role("button", name="Check again").click()
        problem = page.locator(".problems li").first
        expect(problem).to_contain_text("error")
        expect(problem).to_contain_text("fnid")
        line = SHOP[: SHOP.index("call: api.find")].count("\n") + 1
        expect(problem.locator(".place")).to_contain_text(f"{line}:")
    finally:
        shop.file.write_text(SHOP)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 400)])
def test_accessibility(browser: Browser, shop: Served, logged_in: Any, scheme: Any, width: int) -> None:
    script = axe_script()
    options: Any = {"viewport": {"width": width, "height": 860}, "color_scheme": scheme, "storage_state": logged_in}
    with browser.new_context(**options) as context:
        page = context.new_page()
        for place in ("", "operations", "calls", "problems", "login"):
            page.goto(f"{shop.url}/login" if place == "login" else f"{shop.url}/#/{place}")
            expect(page.get_by_role("heading", level=1).first).to_be_attached()
            assert serious_violations(page, script) == [], place
        page.goto(f"{shop.url}/#/operations")
        page.get_by_role("link", name="create-order").last.click()
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("tabpanel").locator(".badge").first).to_have_text("200")
        assert serious_violations(page, script) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_new_link_and_a_logout(browser: Browser, shop: Served, logged_in: Any) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(shop.url)
        page.get_by_role("button", name="Print a new link in the terminal").click()
        expect(page.get_by_role("status")).to_contain_text("A new link is in the terminal")
        page.goto(shop.link(2))
        expect(page.get_by_role("heading", name="Shop")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        assert context.cookies() == []


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("stock"), warehouse(10_000))


def test_ten_thousand_operations(browser: Browser, stock: Served) -> None:
    with browser.new_context(viewport={"width": 1360, "height": 860}) as context:
        watched = Watched(context.new_page())
        page = watched.page
        page.goto(stock.link())
        page.get_by_role("link", name="Operations").click()
        expect(page.get_by_text("10,000 operations")).to_be_visible()
        assert page.locator(".rows li").count() < 60
        page.locator(".rows").evaluate("box => box.scrollTop = box.scrollHeight")
        expect(page.get_by_role("link", name="get-thing-09999")).to_be_visible()
        page.get_by_label("Search operations").fill("blue 0042")
        expect(page.get_by_text("5 operations")).to_be_visible()
        expect(page.get_by_role("link", name="get-thing-00420")).to_be_visible()
        times = []
        for query in ("", "q=blue+0042", "q=thing&offset=9900", "q=api.get"):
            started = time.perf_counter()
            response = context.request.get(f"{stock.url}/api/operations?{query}")
            times.append(time.perf_counter() - started)
            assert response.ok
        # Four times the bound for people, as the machine of a test may be busy.
        assert max(times) < 0.8, times
        assert watched.errors == []


def test_screenshots(page: Page, shop: Served) -> None:
    """The pictures of the documentation, made again when they are missing."""
    if all((SCREENSHOTS / f"{name}.png").exists() for name in ("overview", "operation", "calls")):
        pytest.skip("docs/how-to/console has them; delete them to make them again")
    SCREENSHOTS.mkdir(exist_ok=True)
    page.goto(shop.url)
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "overview.png", clip={"x": 0, "y": 0, "width": 1360, "height": 420})
    open_operation(page, shop, "shop-tools", "find-order")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("tabpanel").locator(".badge").first).to_have_text("200")
    page.locator(".detail").evaluate("box => box.scrollTop = 0")
    page.screenshot(path=SCREENSHOTS / "operation.png")
    for number in range(8):
        page.request.get(f"{shop.url_of('shop')}/orders/{number}")
        page.request.post(f"{shop.url_of('shop')}/orders", data={"items": []} if number % 3 else ORDER)
    page.get_by_role("link", name="Calls").click()
    page.get_by_label("Filter calls").fill("create-order 200")
    page.locator(".time").first.click()
    page.get_by_label("Filter calls").fill("")
    expect(page.get_by_label("Steps")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "calls.png", clip={"x": 0, "y": 0, "width": 1360, "height": 620})
