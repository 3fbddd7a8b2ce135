"""The pages of approvals, the audit log and health in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import APIResponse, Browser, BrowserContext, Locator, Page, expect

from tests.support.browser import Watched, axe_script, serious_violations
from tests.support.console import Served, serve

from .desk import DOCUMENT, REFUND, Bank, bank
from .test_browser import SCREENSHOTS

PICTURES = ("approvals", "audit", "health")


@pytest.fixture(scope="module")
def api() -> Iterator[Bank]:
    with bank() as served:
        yield served


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, api: Bank) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("desk")
    audit = ("--plugin-setting", f"audit.file={folder}/audit.jsonl")
    logins = ("--plugin-setting", "console.authentication=desk-approvals")
    yield from serve(folder, DOCUMENT.replace("@API@", api.url), *audit, *logins, mock=False)


@pytest.fixture(scope="module")
def logged_in(browser: Browser, desk: Served) -> Any:
    with browser.new_context() as context:
        context.new_page().goto(desk.link())
        expect(context.pages[0].get_by_role("heading", name="Refunds")).to_be_visible()
        yield context.storage_state()


@pytest.fixture
def context(browser: Browser, logged_in: Any) -> Iterator[BrowserContext]:
    with browser.new_context(storage_state=logged_in, viewport={"width": 1360, "height": 860}) as context:
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def page(context: BrowserContext, desk: Served) -> Iterator[Page]:
    watched = Watched(context.new_page())
    yield watched.page
    assert watched.errors == []
    assert watched.hosts <= {urlsplit(desk.url).hostname}


def refund(page: Page, desk: Served, path: str = "refunds", **changes: Any) -> APIResponse:
    """Call an operation as a client does."""
    return page.request.post(f"{desk.url_of('desk')}/{path}", data={**REFUND, **changes})


def card_of(page: Page, order: str) -> Locator:
    return page.get_by_role("article").filter(has_text=order)


def test_approve_a_call_that_waits(page: Page, desk: Served, api: Bank) -> None:
    page.goto(f"{desk.url}/#/approvals")
    expect(page.get_by_role("heading", name="Approvals")).to_be_visible()
    assert refund(page, desk, order="A-approve").status == 403
    card = card_of(page, "A-approve")
    expect(card).to_contain_text('"amount": 250')
    expect(card).to_contain_text(f"POST {api.url}/refunds (bank.refund)")
    expect(card).to_contain_text("a client without authentication at 127.0.0.1")
    expect(page.get_by_role("navigation")).to_contain_text("1 waiting")
    assert refund(page, desk, order="A-approve").status == 403
    card.get_by_role("button", name="Approve").click()
    expect(card.get_by_role("status")).to_contain_text("Approved")
    expect(page.get_by_role("navigation")).not_to_contain_text("waiting")
    responses = [refund(page, desk, order="A-approve") for _ in range(2)]
    assert [each.status for each in responses] == [200, 403]
    assert [each for each in api.bodies if each["order"] == "A-approve"] == [{**REFUND, "order": "A-approve"}]
    expect(page.get_by_role("button", name="Approve")).to_have_count(1)


def test_deny_a_call_and_find_it_in_the_audit_log(page: Page, desk: Served, api: Bank) -> None:
    assert refund(page, desk, order="B-deny", amount=777).status == 403
    page.goto(f"{desk.url}/#/approvals")
    card = card_of(page, "B-deny")
    card.get_by_role("button", name="Deny").click()
    expect(card.get_by_role("status")).to_contain_text("Denied")
    denied = refund(page, desk, order="B-deny", amount=777)
    assert (denied.status, denied.json()["title"]) == (403, "Denied")
    assert all(each["order"] != "B-deny" for each in api.bodies)
    page.get_by_role("link", name="Audit").click()
    page.get_by_label("Filter by decision").select_option("denied")
    rows = page.get_by_label("Records").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("an operator in the console")
    rows.nth(1).get_by_role("button").click()
    record = json.loads(page.get_by_label("Record", exact=True).inner_text())
    assert (record["event"], record["operation"], record["transport"]) == ("decision", "refund", "console")
    assert record["approval"]["by"] == "an operator in the console"
    page.get_by_label("Filter by decision").select_option("")
    page.get_by_label("Filter by outcome").select_option("denied")
    page.get_by_label("Filter by operation").fill("refu")
    page.get_by_label("Filter by caller").fill("127.0.0.1")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("denied")
    page.get_by_label("Filter by caller").fill("nobody")
    expect(page.get_by_text("No record has these values.")).to_be_visible()
    assert "777" not in page.content()


def test_a_decision_elsewhere_moves_nothing(page: Page, desk: Served) -> None:
    page.goto(f"{desk.url}/#/approvals")
    asked = refund(page, desk, order="C-elsewhere").json()["approval"]["url"]
    card = card_of(page, "C-elsewhere")
    expect(card.get_by_role("button", name="Approve")).to_be_visible()
    credentials = {"Authorization": "Basic Ym9zczpiMHNz"}
    assert page.request.post(asked, data={"decision": "deny"}, headers=credentials).ok
    expect(card).to_contain_text("This call no longer waits")
    expect(card.get_by_role("button")).to_have_count(0)


def test_calls_of_named_approvers_are_not_decided_here(page: Page, desk: Served) -> None:
    asked = refund(page, desk, "payouts", order="D-secret").json()["approval"]["url"]
    page.goto(f"{desk.url}/#/approvals")
    card = card_of(page, "payout")
    expect(card).to_contain_text("Only boss may decide")
    expect(card.get_by_role("link", name="the approval page")).to_have_attribute("href", asked)
    expect(card).to_contain_text("only shown to those who may decide")
    expect(card.get_by_role("button")).to_have_count(0)
    assert "D-secret" not in page.content()


def test_a_read_only_session_sees_that_calls_wait(browser: Browser, desk: Served) -> None:
    with browser.new_context(http_credentials={"username": "boss", "password": "b0ss"}) as context:
        page = context.new_page()
        assert refund(page, desk, order="F-secret").status == 403
        page.goto(desk.url)
        page.get_by_role("button", name="Log in with credentials").click()
        page.get_by_role("navigation").get_by_role("link", name="Approvals").click()
        expect(page.get_by_text("This session is read-only: it shows the calls, and cannot decide.")).to_be_visible()
        expect(page.get_by_role("article").filter(has_text="refund").first).to_contain_text("only shown to those who")
        expect(page.get_by_role("article").get_by_role("button")).to_have_count(0)
        assert "F-secret" not in page.content()


def test_plots_of_an_api_that_fails(page: Page, desk: Served) -> None:
    page.goto(f"{desk.url}/#/health")
    for code in (200, 404, 503, 503, 503, 200):
        page.request.get(f"{desk.url_of('desk')}/status/{code}")
    bank_section = page.get_by_role("region", name="Health of bank")
    expect(bank_section).to_contain_text("circuit breaker: open for")
    expect(bank_section).to_contain_text("3 failed, 1 rejected")
    for title in ("Calls per second", "Duration", "Requests per second", "Time to the response"):
        plot = page.get_by_role("img", name=f"{title}, latest: ")
        expect(plot.locator("canvas")).to_be_visible()
        assert plot.evaluate(DRAWN) > 100, title
    expect(page.get_by_role("row").filter(has_text="desk.status")).to_contain_text("5 of 6")


DRAWN = """plot => {
    const canvas = plot.querySelector("canvas");
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.filter((value, index) => index % 4 === 3 && value > 0).length;
}"""
"""Counts the pixels of a plot that are drawn."""


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 400)])
def test_accessibility(browser: Browser, desk: Served, logged_in: Any, scheme: Any, width: int) -> None:
    script = axe_script()
    options: Any = {"viewport": {"width": width, "height": 860}, "color_scheme": scheme, "storage_state": logged_in}
    with browser.new_context(**options) as context:
        watched = Watched(context.new_page())
        page = watched.page
        refund(page, desk, order=f"E-{scheme}")
        for place, content in (("approvals", "article"), ("audit", "table"), ("health", "canvas")):
            page.goto(f"{desk.url}/#/{place}")
            expect(page.locator(content).first).to_be_visible()
            assert serious_violations(page, script) == [], place
            assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        assert watched.errors == []


def test_screenshots(browser: Browser, tmp_path: Path, api: Bank) -> None:
    """The pictures of the documentation, made again when they are missing."""
    if all((SCREENSHOTS / f"{name}.png").exists() for name in PICTURES):
        pytest.skip("docs/how-to/console has them; delete them to make them again")
    audit = ("--plugin-setting", f"audit.file={tmp_path}/audit.jsonl")
    serving = serve(tmp_path, DOCUMENT.replace("@API@", api.url), *audit, mock=False)
    shown = next(serving)
    with browser.new_context(viewport={"width": 1360, "height": 860}) as context, closing(serving):
        page = context.new_page()
        page.goto(shown.link())
        # Plots need some periods with calls.
        for number in range(160):
            code = 404 if number % 7 == 3 else 503 if number % 23 == 5 else 200
            page.request.get(f"{shown.url_of('desk')}/status/{code}")
            page.wait_for_timeout(300 - 220 * (number // 30 % 2))
        refund(page, shown)
        refund(page, shown, order="B-12", amount=1900.5)
        page.get_by_role("navigation").get_by_role("link", name="Approvals").click()
        expect(page.get_by_role("article")).to_have_count(2)
        page.screenshot(path=SCREENSHOTS / "approvals.png", clip={"x": 0, "y": 0, "width": 1360, "height": 640})
        page.get_by_role("button", name="Approve").first.click()
        expect(page.get_by_text("Approved.")).to_be_visible()
        refund(page, shown)
        page.get_by_role("link", name="Audit").click()
        page.get_by_label("Filter by operation").fill("refund")
        expect(page.get_by_label("Records").get_by_role("row")).to_have_count(5)
        page.locator(".time").nth(1).click()
        expect(page.get_by_label("Record", exact=True)).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "audit.png", clip={"x": 0, "y": 0, "width": 1360, "height": 700})
        page.get_by_role("link", name="Health").click()
        expect(page.get_by_role("img", name="Time to the response").locator("canvas")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "health.png", clip={"x": 0, "y": 0, "width": 1360, "height": 540})
