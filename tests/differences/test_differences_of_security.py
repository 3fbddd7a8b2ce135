"""Cases where the reference engine is insecure, and this host is not."""

from __future__ import annotations

import re

import aiohttp
import pytest

from adapter_host import ProblemsError
from adapter_host.testing import running
from tests.support.rest_and_mcp import document, given, offering, operation, resource, tool


async def test_template_text_is_not_accepted_as_secret() -> None:
    """An unset secret prevents the start; a set one does not accept its template's text."""
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
async def test_value_cannot_leave_its_part_of_the_url(value: str) -> None:
    body = {"type": "json", "data": '{"v": "{{v}}"}'}
    key = {"authentication": {"type": "apikey", "key": "k", "value": "a&b=c", "placement": "query"}}
    inputs = [given("q", "query")]
    consumed = resource("/a/{v}", operation("do", "POST", inputParameters=inputs, body=body))
    async with offering(consumed, tools=[tool(call="api.do")], consumer=key) as offered:
        result = await offered.tool("do", {"v": value, "q": value})
        if value.startswith(".."):
            assert (result.failed, offered.api.seen) == (True, [])
            return
        seen = offered.api.last
    path, _, query = seen.target.partition("?")
    assert path.count("/") == 2
    assert sorted(pair.partition("=")[0] for pair in query.split("&")) == ["k", "q"]
    assert f"k={'a%26b%3Dc'}" in query


async def test_value_cannot_leave_its_json_string() -> None:
    body = {"type": "json", "data": '{"v": "{{v}}", "admin": false}'}
    async with offering(resource("/a", operation("do", "POST", body=body)), tools=[tool(call="api.do")]) as offered:
        await offered.tool("do", {"v": '", "admin": true, "x": "'})
        assert offered.api.last.body == b'{"v":"\\", \\"admin\\": true, \\"x\\": \\"","admin":false}'


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)],
    ids=["host", "origin"],
)
async def test_host_and_origin_are_checked(headers: dict[str, str], status: int) -> None:
    async with offering(resource("/a", operation()), tools=[tool(call="api.do")]) as offered:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        sent = {"Accept": "application/json, text/event-stream", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(offered.served.url("agent"), json=message, headers=sent) as response,
        ):
            assert response.status == status


async def test_errors_hide_internal_details(caplog: pytest.LogCaptureFixture) -> None:
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
        response, result = await offered.rest("GET", "/a?x=private"), await offered.tool("do", {"x": "private"})
    assert (response.status, response.data["title"]) == (502, "Upstream unreachable")
    for text in (response.body.decode(), result.text):
        assert not re.search(r"s3cr3t|127\.0\.0\.1|inner-path|private|Traceback|Error\b", text)
    assert not re.search(r"s3cr3t|private", caplog.text)


async def test_undeclared_arguments_are_rejected() -> None:
    headers = [given("X-Token", "header", value="{{TOKEN}}")]
    async with offering(
        resource("/a", operation(inputParameters=headers)),
        tools=[tool(call="api.do")],
        settings={"environment": {"TOKEN": "ours"}},
        binds=[{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}],
    ) as offered:
        result = await offered.tool("do", {"TOKEN": "mine"})
        assert (result.failed, offered.api.seen) == (True, [])
        await offered.tool("do")
        assert offered.api.last.headers["X-Token"] == "ours"


async def test_bodies_and_responses_are_limited() -> None:
    rest = [resource("/a", {"method": "POST", "call": "api.do"})]
    consumed = resource("/a", operation("do", "POST", inputParameters=[given("body", "body")]))
    limits = {"body_limit": 1000, "response_limit": 1000}
    async with offering(consumed, rest=rest, tools=[tool(call="api.do")], settings=limits) as offered:
        assert (await offered.rest("POST", "/a", json="x" * 1000)).status == 413
        offered.respond_with("x" * 1001)
        result = await offered.tool("do", {"body": 1})
    assert result.failed
    assert "larger than 1000 bytes" in result.text
