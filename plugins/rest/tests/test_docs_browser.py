"""`/docs` in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.support.browser import Watched, axe_script, launch, serious_violations
from tests.support.documented_shop import Served, catalog, serving
from tests.support.paths import ROOT

SCREENSHOT = ROOT / "docs/how-to/browser-docs.png"
REFUSED = "Failed to load resource: the server responded with a status of "
"""The browser notes this for each error response."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from launch()


@pytest.fixture(scope="module")
def shop() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    with browser.new_context(viewport={"width": 1360, "height": 900}) as context:
        context.set_default_timeout(10_000)
        watched = Watched(context.new_page())
        yield watched
        assert watched.errors == []
        assert watched.hosts <= {"127.0.0.1"}


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


def send(page: Page, status: str) -> None:
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".results .badge").first).to_have_text(status)


def received(page: Page) -> Any:
    return json.loads(page.get_by_label("Response body").inner_text())


def test_search(page: Page, shop: Served) -> None:
    page.goto(f"{shop.url}/docs")
    rows = page.locator(".rows li a")
    expect(rows).to_have_count(5)
    for query, found in (
        ("upload-photo", "/photos"),
        ("post orders", "/orders"),
        ("the news", "/news"),
        ("pictures", "/photos"),
        ("x-trace", "/orders/{number}"),
    ):
        page.get_by_label("Search operations").fill(query)
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text(found)
        assert page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('q')") == query
    page.get_by_label("Search operations").fill("nothing of this")
    expect(page.get_by_text("0 operations")).to_be_visible()


def test_the_fragment_and_the_keyboard(page: Page, shop: Served) -> None:
    page.goto(f"{shop.url}/docs#?q=order")
    expect(page.get_by_text("2 operations")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("POST /orders")
    assert urlsplit(page.url).fragment == "create-order?q=order"
    page.goto(f"{shop.url}/docs#find-order")
    page.get_by_label("number").fill("7")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".results .badge").first).to_have_text("200 OK")
    page.goto(f"{shop.url}/docs#no-such-thing")
    expect(page.get_by_text("There is no operation 'no-such-thing'")).to_be_visible()


def test_try_a_get(page: Page, shop: Served) -> None:
    page.goto(f"{shop.url}/docs#find-order")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    expect(page.get_by_text("Fill in number.")).to_be_visible()
    page.get_by_label("number").fill("a/7'")
    for number, text in enumerate(("id", "name & more")):
        page.get_by_role("button", name="Add item to fields").click()
        page.get_by_label(f"fields[{number}]", exact=False).first.fill(text)
    page.get_by_label("X-Trace").fill("abc")
    command = page.get_by_label("curl").inner_text()
    assert command.splitlines() == [
        f"curl '{shop.url}/orders/a%2F7%27?fields=id&fields=name%20%26%20more' \\",
        "  -H 'X-Trace: abc'",
    ]
    send(page, "200 OK")
    sent = received(page)
    assert (sent["path"], sent["trace"]) == ("/orders/a/7'", "abc")
    assert sent["query"] == [["fields", "id"], ["fields", "name & more"]]
    page.get_by_text("Headers", exact=True).last.click()
    expect(page.get_by_label("Headers").last).to_contain_text("content-type: application/json")


ARRAY = ["blue", "black", "brown"]
OBJECT = {"R": 100, "G": 200}

STYLES: list[tuple[str, dict[str, Any], Any, str]] = [
    ("path", {}, "a/b!", "/x/a%2Fb%21"),
    ("path", {}, ARRAY, "/x/blue,black,brown"),
    ("path", {"explode": True}, OBJECT, "/x/R=100,G=200"),
    ("path", {"style": "label"}, ARRAY, "/x/.blue,black,brown"),
    ("path", {"style": "label", "explode": True}, OBJECT, "/x/.R=100.G=200"),
    ("path", {"style": "matrix"}, OBJECT, "/x/;color=R,100,G,200"),
    ("path", {"style": "matrix", "explode": True}, ARRAY, "/x/;color=blue;color=black;color=brown"),
    ("query", {}, ARRAY, "/x?color=blue&color=black&color=brown"),
    ("query", {"explode": False}, ARRAY, "/x?color=blue,black,brown"),
    ("query", {}, OBJECT, "/x?R=100&G=200"),
    ("query", {"style": "form", "explode": False}, OBJECT, "/x?color=R,100,G,200"),
    ("query", {"style": "spaceDelimited"}, ARRAY, "/x?color=blue%20black%20brown"),
    ("query", {"style": "pipeDelimited"}, ARRAY, "/x?color=blue%7Cblack%7Cbrown"),
    ("query", {"style": "deepObject"}, OBJECT, "/x?color%5BR%5D=100&color%5BG%5D=200"),
    ("query", {"allowReserved": True}, "a/b&c", "/x?color=a/b%26c"),
    ("query", {"content": {"application/json": {}}}, OBJECT, "/x?color=%7B%22R%22%3A100%2C%22G%22%3A200%7D"),
    ("header", {}, ARRAY, "blue,black,brown"),
    ("header", {"explode": True}, OBJECT, "R=100,G=200"),
]
"""The examples of OpenAPI 3.1, section 4.8.12.6: the parameter and its value in a request."""


def test_parameters_have_their_styles(page: Page, shop: Served) -> None:
    page.goto(f"{shop.url}/docs")
    built = page.evaluate(
        """async (styles) => {
            const { buildRequest } = await import('/docs/request.js');
            return styles.map(([place, style, value]) => {
                const parameters = [{ name: 'color', in: place, ...style }];
                const operation = { method: 'GET', path: place === 'path' ? '/x/{color}' : '/x', parameters };
                const values = { path: {}, query: {}, header: {}, cookie: {}, media: '', [place]: { color: value } };
                const request = buildRequest(operation, values, '', null);
                return place === 'header' ? request.headers.color : request.url;
            });
        }""",
        [style[:3] for style in STYLES],
    )
    assert built == [style[3] for style in STYLES]


def test_try_a_nested_body(watched: Watched, shop: Served) -> None:
    page = watched.page
    page.goto(f"{shop.url}/docs#create-order")
    page.get_by_label("name").fill("Ada")
    page.get_by_label("city").fill("Paris")
    page.get_by_role("button", name="Add item to items").click()
    page.get_by_label("article").fill("book")
    page.get_by_label("count").fill("2")
    page.get_by_label("priority").select_option("express")
    send(page, "201 Created")
    order = {
        "customer": {"name": "Ada", "address": {"city": "Paris"}},
        "items": [{"article": "book", "count": 2}],
        "priority": "express",
    }
    assert received(page)["body"] == order
    page.get_by_text("JSON", exact=True).click()
    field = page.get_by_label("Body as JSON")
    assert json.loads(field.input_value()) == order
    field.fill(json.dumps({**order, "items": [{"article": "book", "count": 0}]}))
    send(page, "400 Bad Request")
    assert received(page)["pointer"] == "#/items/0/count"
    watched.errors.remove(f"{REFUSED}400 (Bad Request)")


def test_upload_a_file(page: Page, shop: Served) -> None:
    page.goto(f"{shop.url}/docs#upload-photo")
    photo: FilePayload = {"name": "cat.png", "mimeType": "image/png", "buffer": b"\x89PNG\xff\x00"}
    page.get_by_label("photo").set_input_files(photo)
    page.get_by_label("caption").fill("A cat")
    expect(page.get_by_label("curl")).to_contain_text("-F 'photo=@\"cat.png\"'")
    send(page, "201 Created")
    assert {key: received(page)[key] for key in ("file", "size", "caption")} == {
        "file": "cat.png",
        "size": 6,
        "caption": "A cat",
    }
    page.get_by_label("Media type").select_option("application/json")
    page.get_by_label("File").set_input_files(photo)
    expect(page.get_by_label("curl")).to_contain_text('"photo":"iVBOR/8A"')
    send(page, "201 Created")
    assert received(page)["size"] == 6


def test_binary_responses_are_saved(page: Page, shop: Served, tmp_path: Path) -> None:
    page.goto(f"{shop.url}/docs#print-label")
    send(page, "200 OK")
    expect(page.get_by_text("6 B of binary data")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "label.png"
    download.value.save_as(tmp_path / "label.png")
    assert (tmp_path / "label.png").read_bytes() == b"\x89PNG\xff\x00"


def test_streams_are_shown_as_they_come(page: Page) -> None:
    with serving() as served:
        page.goto(f"{served.url}/docs#follow-news")
        send(page, "200 OK")
        items = page.get_by_label("Items").get_by_role("listitem")
        expect(items).to_have_count(1)
        expect(items).to_contain_text('data: {"title": "first"}')
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        served.send_event()
        expect(items).to_have_count(2)
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        page.goto("about:blank")


def test_a_stream_is_stopped(page: Page) -> None:
    with serving() as served:
        page.goto(f"{served.url}/docs#follow-news")
        send(page, "200 OK")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Stopped.")).to_be_visible()
        page.goto("about:blank")


@pytest.mark.parametrize(
    ("authentication", "username", "label", "secret", "header"),
    [
        ({"type": "bearer", "token": "t0ken"}, "", "Token", "t0ken", "Authorization: Bearer ..."),
        ({"type": "basic", "username": "ü", "password": "pä"}, "ü", "Password", "pä", "Authorization: Basic ..."),
        ({"type": "apikey", "key": "X-Key", "value": "k3y"}, "", "API key", "k3y", "X-Key: ..."),
        ({"type": "apikey", "key": "key", "value": "k3y", "placement": "query"}, "", "API key", "k3y", "?key=..."),
    ],
)
def test_an_authenticated_exposer(
    watched: Watched, authentication: Any, username: str, label: str, secret: str, header: str
) -> None:
    page = watched.page
    with serving(authentication=authentication) as served:
        page.goto(f"{served.url}/docs#find-order")
        expect(page.get_by_role("heading", name="This API requires credentials")).to_be_visible()
        assert "Shop" not in page.content()
        if username:
            page.get_by_label("User name").fill(username)
        page.get_by_label(label).fill("wrong")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_have_text("The credentials were not accepted.")
        watched.errors.remove(f"{REFUSED}401 (Unauthorized)")
        page.get_by_label(label).fill(secret)
        page.get_by_role("button", name="Continue").click()
        page.get_by_label("number").fill("7")
        expect(page.get_by_label("curl")).to_contain_text(header)
        send(page, "200 OK")
        stored = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])")
        assert secret not in stored
        assert secret not in page.content()
        page.get_by_role("button", name="Forget the credentials").click()
        expect(page.get_by_label(label)).to_have_value("")


def test_a_page_for_reading(page: Page, shop: Served) -> None:
    with serving(None, **{"x-docs": "read"}) as served:
        page.goto(f"{served.url}/docs#find-order")
        expect(page.locator(".reference")).to_contain_text("The number of the order")
        expect(page.get_by_role("button", name="Send")).to_have_count(0)


def test_without_scripts(browser: Browser, shop: Served) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{shop.url}/docs")
        page.wait_for_url(f"{shop.url}/docs/read")
        expect(page.get_by_text("Find an order", exact=True)).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 400)])
def test_accessibility(browser: Browser, shop: Served, scheme: Any, width: int) -> None:
    script = axe_script()
    with browser.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme) as context:
        page = context.new_page()
        for place in ("docs", "docs#upload-photo", "docs/read"):
            page.goto(f"{shop.url}/{place}")
            expect(page.get_by_role("heading", level=1).first).to_be_attached()
            assert serious_violations(page, script) == [], place
        page.goto(f"{shop.url}/docs#create-order")
        page.get_by_role("button", name="Insert an example").click()
        send(page, "201 Created")
        assert serious_violations(page, script) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    with (
        serving(authentication={"type": "basic", "username": "u", "password": "p"}) as served,
        browser.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme) as context,
    ):
        page = context.new_page()
        page.goto(f"{served.url}/docs")
        expect(page.get_by_label("Password")).to_be_visible()
        assert serious_violations(page, script) == []


def test_ten_thousand_operations(page: Page) -> None:
    with serving(catalog(10_000)) as served:
        page.goto(f"{served.url}/docs")
        expect(page.get_by_text("10,000 operations")).to_be_visible(timeout=60_000)
        assert page.locator(".rows li").count() < 60
        field = page.get_by_label("Search operations")
        took = []
        blue = sum("42" in f"{number:05}" for number in range(0, 10_000, 3))
        for query, count, first in (
            ("blue number 42", blue, "/things/00042/{id}"),
            ("get-thing-04200", 1, "/things/04200/{id}"),
            ("group-07", 100, "/things/00007/{id}"),
        ):
            field.fill("")
            expect(page.get_by_text("10,000 operations")).to_be_visible()
            took.append(page.evaluate(TIMED_SEARCH, query))
            expect(page.get_by_text(f"{count} operation")).to_be_visible()
            expect(page.locator(".rows li a").first).to_contain_text(first)
        # From the key to the rows on the screen; four times the bound for people, as the machine of a test may be busy.
        assert max(took) < 800, took


TIMED_SEARCH = """async (query) => {
    const field = document.querySelector('.search input');
    const started = performance.now();
    field.value = query;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    while (document.querySelector('.search [role=status]').textContent.startsWith('10,000')) {
        await new Promise(requestAnimationFrame);
    }
    await new Promise(requestAnimationFrame);
    return performance.now() - started;
}"""


def test_screenshot(page: Page, shop: Served) -> None:
    """The picture of the documentation, made again when it is missing."""
    if SCREENSHOT.exists():
        pytest.skip(f"{SCREENSHOT.name} exists; delete it to make it again")
    page.goto(f"{shop.url}/docs#find-order")
    page.get_by_label("number").fill("42")
    send(page, "200 OK")
    page.locator(".detail").evaluate("box => box.scrollTop = 0")
    page.screenshot(path=SCREENSHOT, clip={"x": 0, "y": 0, "width": 1360, "height": 860})
