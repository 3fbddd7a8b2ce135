"""Approvals on the pages: over REST, by programs and by people in browsers."""

from __future__ import annotations

import re
from typing import Any

import aiohttp

from .conftest import BOSS, OPEN_PAGE, PAGE, REFUND, Shop, rest, serving

CLERK = {"type": "basic", "username": "clerk", "password": "cl3rk"}


async def test_call_waits_until_it_is_approved(shop: Shop) -> None:
    status, problem = await shop.refund()
    assert (status, problem["title"], shop.calls) == (403, "Approval required", [])
    url = problem["approval"]["url"]
    assert 500 < problem["approval"]["expires_in"] <= 600
    assert problem["detail"] == (
        f"a person must approve 'refund' before it is called: ask for it at {url}; "
        "then repeat the call with the same arguments within 10 minutes"
    )
    assert await shop.decide(url) == 200
    assert await shop.refund() == (200, REFUND)
    assert shop.calls == [REFUND]


async def test_approval_is_used_once(shop: Shop) -> None:
    first = await shop.ask()
    await shop.decide(first)
    assert (await shop.refund())[0] == 200
    assert await shop.ask() != first
    assert await shop.decide(first) == 404
    assert len(shop.calls) == 1


async def test_repeated_calls_wait_for_one_decision(shop: Shop) -> None:
    assert await shop.ask() == await shop.ask()
    url = await shop.ask({**REFUND, "amount": 251})
    assert url != await shop.ask()
    listed = await _listed(shop)
    assert [each["operation"] for each in listed] == ["refund", "refund"]


async def test_denied_call_is_not_made(shop: Shop) -> None:
    assert await shop.decide(await shop.ask(), "deny") == 200
    status, problem = await shop.refund()
    assert (status, problem["title"]) == (403, "Denied")
    assert problem["detail"] == "a person has denied this call; do not repeat it"
    assert shop.calls == []
    assert await _listed(shop) == []


async def test_person_approves_in_a_browser(shop: Shop) -> None:
    url = await shop.ask({"order": "<script>alert(1)</script>", "amount": 1})
    html, token, cookie = await shop.page(url)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a client without authentication at 127.0.0.1" in html
    status, html = await shop.submit(url, token, cookie)
    assert status == 200
    assert "Approved" in html
    assert (await shop.refund({"order": "<script>alert(1)</script>", "amount": 1}))[0] == 200


async def test_headers_of_pages(shop: Shop) -> None:
    url = await shop.ask()
    async with shop.session.get(url, headers={"Accept": "text/html", **BOSS}) as response:
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith(
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; style-src 'sha256-"
        )
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "same-origin"
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


async def test_arguments_cannot_mislead(shop: Shop) -> None:
    html, _, _ = await shop.page(await shop.ask({"order": "\u202e1-A\u200b Ж", "amount": 1}))
    assert "\\u202e1-A\\u200b Ж" in html


async def test_large_arguments_are_bounded(shop: Shop) -> None:
    html, _, _ = await shop.page(await shop.ask({"order": "x" * 100_000, "amount": 1}))
    assert len(html) < 20_000
    assert "the complete value is bound by its digest" in html


async def test_form_of_another_site_decides_nothing(shop: Shop) -> None:
    url = await shop.ask()
    _, token, cookie = await shop.page(url)
    other = await shop.ask({**REFUND, "amount": 1})
    for target, sent, kept in ((url, "", cookie), (url, token, "0" * 32), (url, token, ""), (other, token, cookie)):
        status, _ = await shop.submit(target, sent, kept)
        assert status == 404
    async with shop.session.post(url, data={"decision": "approve"}, headers=BOSS) as response:
        assert response.status == 404
    evil = {"Origin": "https://evil.example"}
    async with shop.session.post(url, json={"decision": "approve"}, headers={**BOSS, **evil}) as response:
        assert response.status == 403
    async with shop.session.post(url, data='{"decision":"approve"}', headers=BOSS) as response:
        assert response.status == 404
    assert len(await _listed(shop)) == 2


async def test_pages_need_credentials(shop: Shop) -> None:
    url = await shop.ask()
    for auth in ({}, {"Authorization": aiohttp.encode_basic_auth("boss", "wrong")}):
        assert await shop.decide(url, auth=auth) == 401
        async with shop.session.get(url, headers=auth) as response:
            assert response.status == 401
    assert (await shop.refund())[0] == 403


async def test_invalid_decisions(shop: Shop) -> None:
    url = await shop.ask()
    for body in ("", "[]", '{"decision": true}', '{"decision": "perhaps"}'):
        headers = {"Content-Type": "application/json", **BOSS}
        async with shop.session.post(url, data=body, headers=headers) as response:
            assert response.status == 400
    async with shop.session.post(url, data=b"x" * 5000, headers=BOSS) as response:
        assert response.status == 413
    async with shop.session.delete(url, headers=BOSS) as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, POST")
    async with shop.session.get(f"{url[:-1]}x", headers={"Accept": "text/html", **BOSS}) as response:
        assert response.status == 404
    assert await shop.decide(url) == 200


async def test_one_time_link_of_the_operator(log: list[str]) -> None:
    async with serving(rest(), OPEN_PAGE) as shop:
        _, problem = await shop.refund()
        assert "url" not in problem["approval"]
        assert "the operator of the host finds a link to decide in its log" in problem["detail"]
        (message,) = log
        link = message.rpartition(" ")[2]
        base, _, secret = link.rpartition("/")
        assert secret not in str(problem)
        for wrong in (base, f"{base}/{'0' * 32}", f"{shop.served.url('page')}/"):
            assert await shop.decide(wrong, auth={}) == 404
        _, token, cookie = await shop.page(link, auth={})
        assert (await shop.submit(link, token, cookie, auth={}))[0] == 200
        assert (await shop.submit(link, token, cookie, auth={}))[0] == 404
        assert (await shop.refund())[0] == 200


async def test_log_has_no_link_where_people_have_credentials(shop: Shop, log: list[str]) -> None:
    url = await shop.ask()
    assert log == [f"'refund' waits for approval {url[-8:]}; decide at {url}"]


async def test_approvers_decide_about_others() -> None:
    policy = {"x-approval": {"approvers": ["boss"]}}
    async with serving(rest(policy, authentication=CLERK), PAGE) as shop:
        auth = {"Authorization": aiohttp.encode_basic_auth("clerk", "cl3rk")}
        url = await shop.ask(headers=auth)
        html, _, _ = await shop.page(url)
        assert "<dd>clerk</dd>" in html
        assert await shop.decide(url) == 200
        assert (await shop.refund(headers=auth))[0] == 200


async def test_approvers_do_not_decide_about_their_own_calls() -> None:
    policy = {"x-approval": {"approvers": ["boss", "deputy"]}}
    async with serving(rest(policy, authentication=PAGE["authentication"]), PAGE) as shop:
        url = await shop.ask(headers=BOSS)
        assert await shop.decide(url) == 404
        assert await _listed(shop) == []


async def test_only_approvers_decide() -> None:
    async with serving(rest({"x-approval": {"approvers": ["deputy"]}}), PAGE) as shop:
        assert await shop.decide(await shop.ask()) == 404


async def test_list_for_people(shop: Shop) -> None:
    url = await shop.ask()
    async with shop.session.get(f"{shop.served.url('page')}/", headers={"Accept": "text/html", **BOSS}) as response:
        html = await response.text()
    assert re.findall(r"<a href='(\w+)'>refund</a>", html) == [url.rpartition("/")[2]]


async def _listed(shop: Shop) -> list[Any]:
    async with shop.session.get(f"{shop.served.url('page')}/", headers=BOSS) as response:
        assert response.status == 200
        listed: list[Any] = (await response.json())["approvals"]
        return listed
