"""`client_request`: the request of an exposer for arguments reaches the operation with these arguments."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
import pytest

from adapter_host import HttpExposer
from tests.support.rest_and_mcp import given, offering, operation, resource, tool

Data = dict[str, Any]

INPUTS = [
    given("id", "path"),
    given("tags", "query", type="array"),
    given("filter", "query", type="object"),
    given("X-Mode", "header"),
    given("session", "cookie"),
    given("limit", "query", type="integer"),
]
ARGUMENTS: Data = {
    "id": "a/b c",
    "tags": ["x&y", "z"],
    "filter": {"from": 1},
    "X-Mode": "fast",
    "session": "s;1",
    "limit": 7,
}
RESOURCES = [
    resource("/things/{{id}}", operation("find", inputParameters=INPUTS)),
    resource(
        "/things", operation("add", "POST", body="{{thing}}", inputParameters=[given("thing", "body", type="object")])
    ),
]
ROUTES = [
    resource("/things/{{id}}", {"method": "GET", "name": "find", "call": "api.find", "inputParameters": INPUTS}),
    resource(
        "/things",
        {
            "method": "POST",
            "name": "add",
            "call": "api.add",
            "inputParameters": [given("thing", "body", type="object")],
            "with": {"thing": "thing"},
        },
    ),
]
TOOLS = [
    tool("find", call="api.find", inputParameters=[{**each, "description": "it"} for each in INPUTS]),
]


def exposer_of(served: Any, namespace: str) -> HttpExposer[Any]:
    return next(each.exposer for each in served.host.status() if each.namespace == namespace)


async def send(served: Any, namespace: str, name: str, arguments: Data) -> tuple[int, bytes]:
    exposer = exposer_of(served, namespace)
    called = next(each for each in exposer.operations.values() if each.name == name)
    request = exposer.client_request(called, arguments, served.url(namespace))
    assert request is not None
    async with (
        aiohttp.ClientSession() as session,
        session.request(request.method, request.url, headers=request.headers, data=request.body) as response,
    ):
        return response.status, await response.read()


@pytest.mark.parametrize("namespace", ["site", "agent"])
async def test_the_arguments_arrive(namespace: str) -> None:
    async with offering(*RESOURCES, rest=ROUTES, tools=TOOLS) as offered:
        offered.respond_with({"found": True})
        status, body = await send(offered.served, namespace, "find", ARGUMENTS)
        assert status == 200, body
        assert b"found" in body
        (received,) = offered.api.seen
        assert received.target.startswith("/things/a%2Fb%20c?")
        assert received.headers["X-Mode"] == "fast"


async def test_a_body() -> None:
    async with offering(*RESOURCES, rest=ROUTES) as offered:
        offered.respond_with({"added": True})
        status, body = await send(offered.served, "site", "add", {"thing": {"name": "é", "parts": [1, 2]}})
        assert status == 200, body
        (received,) = offered.api.seen
        assert orjson.loads(received.body) == {"name": "é", "parts": [1, 2]}


async def test_arguments_that_are_missing_or_invalid_have_a_request() -> None:
    async with offering(*RESOURCES, rest=ROUTES, tools=TOOLS) as offered:
        assert (await send(offered.served, "site", "find", {"limit": "many"}))[0] == 400
        exposer = exposer_of(offered.served, "site")
        called = next(each for each in exposer.operations.values() if each.name == "find")
        request = exposer.client_request(called, {"X-Mode": "a\r\nb: c"}, "http://host")
        assert request is not None
        assert request.url == "http://host/things/%7Bid%7D"
        assert request.headers == {"X-Mode": "a  b: c"}
