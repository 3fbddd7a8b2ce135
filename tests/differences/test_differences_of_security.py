"""Where the reference engine is open, and this host is not."""

from __future__ import annotations

import re

import aiohttp
import pytest

from adapter_host import ProblemsError
from adapter_host.testing import running
from tests.support.rest_and_mcp import document, given, offering, operation, resource, tool


async def test_the_name_of_a_secret_is_no_secret() -> None:
    """An unset one stops the start; here it is set, and its template's own text opens nothing."""
    bearer = {"authentication": {"type": "bearer", "token": "{{TOKEN}}"}}
    rest = [resource("/a", {"method": "GET", "call": "api.do"})]
    declared = document("http://127.0.0.1:1", [resource("/a", operation())], rest=rest, exposer=bearer)
    with pytest.raises(ProblemsError, match="secret 'TOKEN' is not set"):
        async with running(declared):
            pass
    async with offering(
        resource("/a", operation()), rest=rest, exposer=bearer, settings={"environment": {"TOKEN": "t"}}
    ) as offered:
        for token, status in (("{{TOKEN}}", 401), ("", 401), ("t", 200)):
            assert (await offered.rest("GET", "/a", headers={"Authorization": f"Bearer {token}"})).status == status


@pytest.mark.parametrize("value", ["../admin?x=", "a/b", "a?x=1#f", "a&b=c"])
async def test_a_value_stays_in_its_place(value: str) -> None:
    body = {"type": "json", "data": '{"v": "{{v}}"}'}
    key = {"authentication": {"type": "apikey", "key": "k", "value": "a&b=c", "placement": "query"}}
    inputs = [given("q", "query")]
    consumed = resource("/a/{v}", operation("do", "POST", inputParameters=inputs, body=body))
    async with offering(consumed, tools=[tool(call="api.do")], consumer=key) as offered:
        told = await offered.tool("do", {"v": value, "q": value})
        if value.startswith(".."):
            assert (told.failed, offered.api.seen) == (True, [])
            return
        seen = offered.api.last
    path, _, query = seen.target.partition("?")
    assert path.count("/") == 2
    assert sorted(pair.partition("=")[0] for pair in query.split("&")) == ["k", "q"]
    assert f"k={'a%26b%3Dc'}" in query


async def test_a_quote_in_a_value_stays_in_its_json_string() -> None:
    body = {"type": "json", "data": '{"v": "{{v}}", "admin": false}'}
    async with offering(resource("/a", operation("do", "POST", body=body)), tools=[tool(call="api.do")]) as offered:
        await offered.tool("do", {"v": '", "admin": true, "x": "'})
        assert offered.api.last.body == b'{"v":"\\", \\"admin\\": true, \\"x\\": \\"","admin":false}'


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)],
    ids=["host", "origin"],
)
async def test_an_endpoint_looks_at_where_a_request_comes_from(headers: dict[str, str], status: int) -> None:
    async with offering(resource("/a", operation()), tools=[tool(call="api.do")]) as offered:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        sent = {"Accept": "application/json, text/event-stream", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(offered.served.url("agent"), json=message, headers=sent) as response,
        ):
            assert response.status == status


async def test_errors_tell_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    secrets = {"environment": {"KEY": "s3cr3t"}}
    key = {
        "baseUri": "http://127.0.0.1:1/inner-path",
        "authentication": {"type": "apikey", "key": "k", "value": "{{KEY}}", "placement": "query"},
    }
    async with offering(
        resource("/a", operation(inputParameters=[given("x", "query")])),
        rest=[resource("/a", {"method": "GET", "call": "api.do"})],
        tools=[tool(call="api.do")],
        consumer=key,
        settings=secrets,
    ) as offered:
        answer, told = await offered.rest("GET", "/a?x=private"), await offered.tool("do", {"x": "private"})
    assert (answer.status, answer.data["title"]) == (502, "Upstream unreachable")
    for text in (answer.body.decode(), told.text):
        assert not re.search(r"s3cr3t|127\.0\.0\.1|inner-path|private|Traceback|Error\b", text)
    assert not re.search(r"s3cr3t|private", caplog.text)


async def test_what_nobody_declared_is_refused_and_fills_no_template() -> None:
    headers = [given("X-Token", "header", value="{{TOKEN}}")]
    async with offering(
        resource("/a", operation(inputParameters=headers)),
        tools=[tool(call="api.do")],
        settings={"environment": {"TOKEN": "ours"}},
        binds=[{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}],
    ) as offered:
        told = await offered.tool("do", {"TOKEN": "mine"})
        assert (told.failed, offered.api.seen) == (True, [])
        await offered.tool("do")
        assert offered.api.last.headers["X-Token"] == "ours"


async def test_bodies_and_answers_are_bounded() -> None:
    rest = [resource("/a", {"method": "POST", "call": "api.do"})]
    consumed = resource("/a", operation("do", "POST", inputParameters=[given("body", "body")]))
    limits = {"body_limit": 1000, "response_limit": 1000}
    async with offering(consumed, rest=rest, tools=[tool(call="api.do")], settings=limits) as offered:
        assert (await offered.rest("POST", "/a", json="x" * 1000)).status == 413
        offered.respond_with("x" * 1001)
        told = await offered.tool("do", {"body": 1})
    assert told.failed
    assert "larger than 1000 bytes" in told.text
