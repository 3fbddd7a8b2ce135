"""Numbers keep their digits between callers and the API."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import pytest

from tests.support.rest_and_mcp import Data, given, offering, operation, resource, tool

BIG: Final = 12345678901234567890123
BODY: Final = b'{"i":18446744073709551616,"z":12345678901234567890123,"n":{"m":[-99999999999999999999]}}'
ARGUMENTS: Final[Data] = {"i": 2**64, "z": BIG, "n": {"m": [-99999999999999999999]}}

GET = operation("get", inputParameters=[given("i", "query", type="integer"), given("n", "query", type="number")])
POST = operation("post", "POST", inputParameters=[given("body", "body", type="object", required=True)])
ROUTES = [resource("/a", {"method": "GET", "call": "api.get"}, {"method": "POST", "call": "api.post"})]
TOOLS = [tool("get", call="api.get"), tool("post", call="api.post")]


async def test_requests_keep_digits_over_rest() -> None:
    async with offering(resource("/a", GET, POST), rest=ROUTES) as host:
        assert (await host.rest("GET", f"/a?i={2**64}&n={BIG}")).status == 200
        assert host.api.last.target == f"/a?i={2**64}&n={BIG}"
        response = await host.rest("POST", "/a", data=BODY, headers={"Content-Type": "application/json"})
        assert response.status == 200, response.body
        assert host.api.last.body == BODY


@pytest.mark.parametrize("version", [None, "2025-11-25"])
async def test_requests_keep_digits_over_mcp(version: str | None) -> None:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers |= {"MCP-Protocol-Version": version} if version else {}
    async with offering(resource("/a", GET, POST), tools=TOOLS) as host, aiohttp.ClientSession() as session:

        async def call(name: str, arguments: str) -> Any:
            params = f'{{"name":"{name}","arguments":{arguments}}}'
            message = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}'
            async with session.post(host.served.url("agent"), data=message, headers=headers) as response:
                assert response.status == 200
                return await response.text()

        await call("get", f'{{"i":{2**64}}}')
        assert host.api.last.target == f"/a?i={2**64}"
        await call("post", f'{{"body":{BODY.decode()}}}')
        assert host.api.last.body == BODY


async def test_the_official_client_keeps_digits() -> None:
    async with offering(resource("/a", GET, POST), tools=TOOLS) as host:
        result = await host.tool("post", {"body": ARGUMENTS})
        assert not result.failed, result.text
        assert host.api.last.body == BODY


async def test_responses_keep_digits() -> None:
    async with offering(resource("/a", GET, POST), rest=ROUTES, tools=TOOLS) as host:
        host.respond_with(BODY)
        assert (await host.rest("GET", "/a")).body == BODY
        assert (await host.tool("get")).text == BODY.decode()
