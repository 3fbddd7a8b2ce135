"""A caller's idempotency key has the same effect over every protocol, wherever the protocol has it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from mcp import Client
from mcp_types import ElicitResult, TextContent

from adapter_host import Plugins, Result, UpstreamDisconnectedError
from adapter_host.testing import FakePlugin, Running, running

from .grpc_caller import Grpc

KEY = "adapter-host/idempotencyKey"
PLACE: dict[str, Any] = {
    "name": "place",
    "description": "Places an order",
    "call": "orders.place",
    "inputParameters": [{"name": "article", "type": "string"}],
    "outputParameters": [{"type": "object", "properties": {"id": {"type": "integer", "mapping": "$.id"}}}],
    "x-resilience": {"idempotency": {}},
}
EXPOSERS: dict[str, dict[str, Any]] = {
    "mcp": {"type": "mcp", "tools": [PLACE], "x-discovery": "search"},
    "graphql": {"type": "graphql", "operations": [{**PLACE, "kind": "mutation"}]},
    "a2a": {"type": "a2a", "skills": [PLACE]},
    "grpc": {"type": "grpc", "package": "same.v1", "service": "Same", "operations": [PLACE]},
}

Place = Callable[[str | None, str], Awaitable[Any]]
"""Places an order with a key and an article; returns the id of the order, or the text of the error."""


def document(*types: str, **keys: Any) -> dict[str, Any]:
    exposed = [{"namespace": name, "port": 0, **EXPOSERS[name], **keys} for name in types]
    consumed = {"type": "fake", "namespace": "orders", "operations": [{"name": "place", **inputs()}]}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {"consumes": [consumed], "exposes": exposed},
    }


def inputs() -> dict[str, Any]:
    return {"inputParameters": [{"name": "article", "in": "body", "type": "string"}]}


def serve(*types: str, **keys: Any) -> Any:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return running(document(*types, **keys), plugins=plugins)


def count_orders(served: Running) -> list[Any]:
    """Return the orders, to which each call adds one."""
    orders: list[Any] = []

    def place(arguments: Any) -> Any:
        orders.append(arguments)
        return {"id": len(orders)}

    served.fake("orders").responses["place"] = place
    return orders


async def check(place: Place, orders: list[Any]) -> None:
    assert await place("k-1", "tea") == 1
    assert await place("k-1", "tea") == 1
    assert "was used with other arguments" in await place("k-1", "milk")
    assert await place("k-2", "milk") == 2
    assert await place(None, "milk") == 3
    assert "1 to 255 printable ASCII characters" in await place("", "tea")
    assert len(orders) == 3


def mcp_place(client: Client, *, searched: bool = False) -> Place:
    async def place(key: str | None, article: str) -> Any:
        meta: Any = None if key is None else {KEY: key}
        passed: dict[str, Any] = {"article": article}
        name, arguments = ("call_tool", {"name": "place", "arguments": passed}) if searched else ("place", passed)
        result = await client.call_tool(name, arguments, meta=meta)
        assert isinstance(result.content[0], TextContent)
        text = result.content[0].text
        return text if result.is_error else json.loads(text)["id"]

    return place


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("searched", [False, True])
async def test_meta_of_an_mcp_request(mode: str, searched: bool) -> None:
    async with serve("mcp") as served, Client(served.url("mcp"), mode=mode) as client:
        orders = count_orders(served)
        await check(mcp_place(client, searched=searched), orders)
        # The tool is the same one, called directly or through the search.
        assert await mcp_place(client, searched=not searched)("k-1", "tea") == 1
        wrong: Any = {KEY: 5}
        assert (await client.call_tool("place", {"article": "tea"}, meta=wrong)).is_error
        assert len(orders) == 3


async def test_key_of_a_tool_with_selected_fields() -> None:
    async with serve("mcp", **{"x-budget": {"select": True}}) as served:
        orders = count_orders(served)
        async with Client(served.url("mcp"), mode="2026-07-28") as client:
            meta: Any = {KEY: "k-1"}
            for select in ([], ["id"]):
                result = await client.call_tool("place", {"article": "tea", "select": select}, meta=meta)
                assert result.structured_content == {"id": 1}
    assert len(orders) == 1


async def test_unknown_outcome_over_mcp() -> None:
    def disconnect(_: Any) -> Result:
        raise UpstreamDisconnectedError("away")

    async with serve("mcp") as served, Client(served.url("mcp"), mode="2026-07-28") as client:
        served.fake("orders").responses["place"] = disconnect
        place = mcp_place(client)
        assert "away" in await place("k-1", "tea")
        assert "the outcome of the first call" in await place("k-1", "tea")
        assert len(served.fake("orders").calls) == 1


async def test_metadata_of_an_a2a_message() -> None:
    async with serve("a2a") as served, aiohttp.ClientSession() as session:
        orders = count_orders(served)

        def placed_by(holder: str) -> Place:
            async def place(key: str | None, article: str) -> Any:
                data = {"skill": "place", "arguments": {"article": article}}
                params: dict[str, Any] = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"data": data}]}}
                if key is not None:
                    (params["message"] if holder == "message" else params)["metadata"] = {KEY: key}
                body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
                async with session.post(served.url("a2a"), json=body, headers={"A2A-Version": "1.0"}) as response:
                    task = (await response.json())["result"]["task"]
                if "artifacts" in task:
                    return task["artifacts"][0]["parts"][0]["data"]["id"]
                return json.dumps(task["status"]["message"]["parts"])

            return place

        await check(placed_by("message"), orders)
        assert await placed_by("request")("k-1", "tea") == 1
        assert len(orders) == 3


async def test_metadata_of_a_grpc_call() -> None:
    async with serve("grpc") as served:
        orders = count_orders(served)
        async with Grpc(served) as caller:

            async def place(key: str | None, article: str) -> Any:
                caller.metadata = () if key is None else (("idempotency-key", key),)
                outcome = await caller.call("place", {"article": article})
                return int(outcome.data["id"]) if outcome.kind == "message" else outcome.message

            await check(place, orders)


async def test_a_graphql_request_has_a_key_for_each_field() -> None:
    async with serve("graphql") as served, aiohttp.ClientSession() as session:
        orders = count_orders(served)

        async def send(query: str, key: str) -> Any:
            headers = {"Idempotency-Key": key}
            async with session.post(served.url("graphql"), json={"query": query}, headers=headers) as response:
                return await response.json()

        two = 'mutation { tea: place(article: "tea") { id } milk: place(article: "milk") { id } }'
        first = await send(two, "k-1")
        assert first == {"data": {"tea": {"id": 1}, "milk": {"id": 2}}}
        assert await send(two, '"k-1"') == first
        assert await send('mutation { place(article: "tea") { id } }', "k-1") == {"data": {"place": {"id": 1}}}
        changed = await send(two.replace('"milk"', '"rice"'), "k-1")
        assert changed["data"]["tea"] == {"id": 1}
        assert "was used with other arguments" in changed["errors"][0]["message"]
        assert len(orders) == 2


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_an_approved_call_is_replayed_without_a_question(mode: str) -> None:
    questions: list[Any] = []

    async def approve(context: Any, params: Any) -> ElicitResult:
        questions.append(params)
        return ElicitResult(action="accept", content={"approve": True})

    async with serve("mcp", **{"x-approval": True}) as served:
        orders = count_orders(served)
        async with Client(served.url("mcp"), mode=mode, elicitation_callback=approve) as client:
            place = mcp_place(client)
            assert [await place("k-1", "tea") for _ in range(3)] == [1, 1, 1]
            assert "was used with other arguments" in await place("k-1", "milk")
            assert await place("k-2", "milk") == 2
    assert (len(orders), len(questions)) == (2, 2)
