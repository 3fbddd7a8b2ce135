"""`x-discovery`: the tools that clients list, find and call."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent, Tool

import adapter_host_mcp
import adapter_host_skill
from adapter_host import (
    AdapterHostError,
    ArgumentError,
    Host,
    Plugins,
    ProblemsError,
    Result,
    Settings,
    UpstreamStatusError,
)
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_mcp.command_options import add_call_options
from adapter_host_mcp.commands import run_call
from adapter_host_mcp.exposer import McpExposer

OPERATIONS = {
    "list-orders": ("List the orders of a customer", "customer"),
    "get-order": ("Get one order", "id"),
    "cancel-order": ("Cancel an order that is not shipped", "id"),
    "create-web-hook": ("Register a URL for events", "target"),
    "delete-web-hook": ("Remove a URL for events", "target"),
    "get.weather": ("Read the weather", "place"),
}
HINTS = {"list-orders": {"readOnly": True}, "get-order": {"readOnly": True}, "cancel-order": {"destructive": True}}
TAGS = {"list-orders": ["Orders"], "get-order": ["Orders"], "cancel-order": ["Orders", "Dangerous"]}


def document(discovery: str | None = "search", *, pinned: str = "get-order", **keys: Any) -> dict[str, Any]:
    operations = [
        {"name": name.replace(".", "-"), "inputParameters": [{"name": value, "in": "query", "required": True}]}
        for name, (_, value) in OPERATIONS.items()
    ]
    tools = [
        {
            "name": name,
            "description": description,
            "call": f"stock.{name.replace('.', '-')}",
            "inputParameters": [{"name": value, "type": "integer" if value == "id" else "string"}],
            "hints": HINTS.get(name),
            "tags": TAGS.get(name),
            **({"x-pinned": True} if name == pinned else {}),
        }
        for name, (description, value) in OPERATIONS.items()
    ]
    found = {} if discovery is None else {"x-discovery": discovery}
    exposer = {"type": "mcp", "namespace": "shop", "port": 0, "tools": tools, **found, **keys}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {
            "consumes": [{"type": "fake", "namespace": "stock", "operations": operations}],
            "exposes": [exposer],
        },
    }


def build(described: dict[str, Any]) -> Host:
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin(), "skill": adapter_host_skill})
    return Host(described, plugins=plugins, settings=Settings(environment={}))


def exposer_of(described: dict[str, Any]) -> McpExposer:
    (status,) = build(described).status()
    assert isinstance(status.exposer, McpExposer)
    return status.exposer


@pytest.fixture
async def shop() -> AsyncIterator[Running]:
    async with running(document()) as served:
        yield served


class ShopClient:
    """The official client, connected for each request."""

    def __init__(self, url: str, mode: str) -> None:
        self._url = url
        self._mode = mode

    async def list_tools(self) -> list[Tool]:
        async with Client(self._url, mode=self._mode) as connected:
            return (await connected.list_tools()).tools

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        async with Client(self._url, mode=self._mode) as connected:
            return await connected.call_tool(name, arguments)

    async def error_of(self, name: str) -> str:
        async with Client(self._url, mode=self._mode) as connected:
            with pytest.raises(MCPError) as raised:
                await connected.call_tool(name, {})
        return str(raised.value)


@pytest.fixture(params=["legacy", "2026-07-28"])
def client(shop: Running, request: pytest.FixtureRequest) -> ShopClient:
    return ShopClient(shop.url("shop"), request.param)


def found_names(result: CallToolResult) -> list[str]:
    assert not result.is_error, text_of(result)
    assert result.structured_content == json.loads(text_of(result))
    return [tool["name"] for tool in json.loads(text_of(result))["tools"]]


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def test_clients_list_the_search_and_pinned_tools(client: ShopClient) -> None:
    tools = await client.list_tools()
    assert [tool.name for tool in tools] == ["search_tools", "call_tool", "get-order"]
    search, call, _ = tools
    assert search.input_schema["required"] == ["query"]
    assert "Orders (3)" in search.input_schema["properties"]["group"]["description"]
    assert call.input_schema["required"] == ["name"]
    # A tool cancels orders.
    assert call.annotations is not None
    assert call.annotations.destructive_hint is True


async def test_a_search_returns_names_descriptions_and_schemas(shop: Running, client: ShopClient) -> None:
    result = await client.call_tool("search_tools", {"query": "how can I abort a purchase order?"})
    first = json.loads(text_of(result))["tools"][0]
    assert first == {
        "name": "cancel-order",
        "description": "Cancel an order that is not shipped",
        "inputSchema": {
            "type": "object",
            "properties": {"id": {"type": "integer"}},
            "required": ["id"],
            "additionalProperties": False,
        },
        "annotations": {"destructiveHint": True},
    }
    assert shop.fake("stock").calls == []


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("add a webhook", "create-web-hook"),
        ("get rid of the webhook", "delete-web-hook"),
        ("show all orders", "list-orders"),
        ("get_weather", "get_weather"),
        ("customers", "list-orders"),
        ("cancel-order", "cancel-order"),
    ],
)
def test_the_best_tool_is_first(query: str, best: str) -> None:
    exposer = exposer_of(document())
    assert next(entry.title for entry in exposer.search(query)) == best.replace("_", "-")


async def test_a_group_limits_the_search(client: ShopClient) -> None:
    everywhere = await client.call_tool("search_tools", {"query": "URL for events"})
    within = await client.call_tool("search_tools", {"query": "URL for events order", "group": "orders"})
    assert found_names(everywhere)[:2] == ["create-web-hook", "delete-web-hook"]
    assert set(found_names(within)) == {"list-orders", "get-order", "cancel-order"}
    unknown = await client.call_tool("search_tools", {"query": "order", "group": "Order"})
    assert unknown.is_error
    assert text_of(unknown) == "unknown group 'Order'; did you mean 'Orders'?"


async def test_nothing_found_says_so(client: ShopClient) -> None:
    result = await client.call_tool("search_tools", {"query": "zeppelin"})
    assert result.structured_content == {"tools": [], "hint": "no tool matches; use other words, or a group"}


async def test_call_tool_returns_the_result_of_the_tool(shop: Running, client: ShopClient) -> None:
    shop.fake("stock").responses["cancel-order"] = lambda _: Result(body=b'{"cancelled": true}')
    named = await client.call_tool("call_tool", {"name": "cancel-order", "arguments": {"id": 7}})
    direct = await client.call_tool("cancel-order", {"id": 7})
    assert named.structured_content == {"cancelled": True}
    assert named == direct
    assert shop.fake("stock").calls == [("cancel-order", {"id": 7})] * 2


async def test_tools_have_their_names_for_clients(shop: Running, client: ShopClient) -> None:
    result = await client.call_tool("call_tool", {"name": "get-weather", "arguments": {"place": "Oslo"}})
    assert not result.is_error
    assert shop.fake("stock").calls == [("get-weather", {"place": "Oslo"})]


async def test_arguments_as_text_are_converted(shop: Running, client: ShopClient) -> None:
    result = await client.call_tool("call_tool", {"name": "get-order", "arguments": '{"id": 8}'})
    assert not result.is_error
    assert shop.fake("stock").calls == [("get-order", {"id": 8})]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "cancel_an_order", "arguments": {}},
            "unknown tool 'cancel_an_order'; similar tools: 'cancel-order', 'list-orders', 'get-order'",
        ),
        ({"name": "search_tools"}, "unknown tool 'search_tools'"),
        ({"name": "get-order"}, "'id' is required"),
        ({"name": "get-order", "arguments": {"id": "many"}}, "'id' must be an integer (given \"many\")"),
        ({"name": "get-order", "arguments": [7]}, "'arguments' must be an object"),
        ({"name": "get-order", "arguments": "7"}, "'arguments' must be an object"),
        ({"name": "get-order", "args": {"id": 7}}, "unknown argument 'args' (known: name, arguments)"),
        ({}, "'name' is required"),
        ({"name": 7}, "'name' must be a string"),
    ],
)
async def test_errors_of_call_tool_are_results(
    shop: Running, client: ShopClient, arguments: dict[str, Any], message: str
) -> None:
    result = await client.call_tool("call_tool", arguments)
    assert result.is_error
    assert text_of(result).startswith(message)
    assert shop.fake("stock").calls == []


async def test_queries_are_bounded(client: ShopClient) -> None:
    result = await client.call_tool("search_tools", {"query": "x" * 1001})
    assert result.is_error
    assert "1000" in text_of(result)
    assert (await client.call_tool("search_tools", {})).is_error


async def test_an_unknown_tool_is_an_error_with_near_names(client: ShopClient) -> None:
    assert (await client.error_of("cancel-orders")).startswith("Unknown tool: cancel-orders; similar tools: 'cancel-o")


async def test_the_log_has_the_name_of_the_tool(
    shop: Running, client: ShopClient, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> Result:
        raise UpstreamStatusError(503)

    shop.fake("stock").responses["get-order"] = fail
    result = await client.call_tool("call_tool", {"name": "get-order", "arguments": {"id": 1}})
    assert result.is_error
    assert any(": get-order: " in message for message in caplog.messages)


async def test_header_inputs_are_read_from_the_request() -> None:
    described = document()
    order = described["capability"]["exposes"][0]["tools"][1]
    order["inputParameters"].append({"name": "X-Shop", "in": "header", "type": "string"})
    order["with"] = {"id": "{{X-Shop}}"}
    params = {"name": "call_tool", "arguments": {"name": "get-order", "arguments": {"id": 7}}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with running(described) as served, aiohttp.ClientSession() as session:
        for headers in ({"X-Shop": "north"}, {}):
            async with session.post(served.url("shop"), json=body, headers=headers) as response:
                result = (await response.json())["result"]
                assert result["isError"] == (not headers)
        assert served.fake("stock").calls == [("get-order", {"id": "north"})]


async def test_a_client_that_asks_for_logs_gets_those_of_the_tool() -> None:
    described = document()
    for tool in described["capability"]["exposes"][0]["tools"]:
        tool["outputParameters"] = [
            {"type": "object", "properties": {"done": {"type": "boolean", "mapping": "$.done"}}}
        ]
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/logLevel": "info",
    }
    params = {"name": "call_tool", "arguments": {"name": "cancel-order", "arguments": {"id": 7}}, "_meta": meta}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "call_tool",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with running(described) as served, aiohttp.ClientSession() as session:
        served.fake("stock").responses["cancel-order"] = lambda _: {"done": "perhaps"}
        async with session.post(served.url("shop"), json=body, headers=headers) as response:
            events = await response.text()
    assert '"logger":"cancel-order"' in events.replace(" ", "")
    assert '"isError":false' in events


@pytest.mark.parametrize("results", ["both", "text"])
async def test_the_command_calls_tools_that_are_not_listed(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(document(**{"x-results": results})) as served:
        served.fake("stock").responses["cancel-order"] = lambda _: {"cancelled": True}
        parser = argparse.ArgumentParser()
        add_call_options(parser)
        code = await asyncio.to_thread(run_call, parser.parse_args([served.url("shop"), "cancel-order", "id=7"]))
        with pytest.raises(AdapterHostError) as raised:
            await asyncio.to_thread(run_call, parser.parse_args([served.url("shop"), "cancel"]))
    assert (code, served.fake("stock").calls) == (0, [("cancel-order", {"id": 7})])
    assert json.loads(capsys.readouterr().out) == {"cancelled": True}
    assert "has no tool 'cancel' (known: search_tools, call_tool, get-order)" in str(raised.value)


async def test_stdio_has_the_search(tmp_path: Path) -> None:
    described = document(transport="stdio")
    del described["capability"]["exposes"][0]["port"]
    described["capability"]["consumes"] = []
    for tool in described["capability"]["exposes"][0]["tools"]:
        del tool["call"]
        tool["outputParameters"] = [{"type": "object", "properties": {"done": {"value": tool["name"]}}}]
    file = tmp_path / "shop.json"
    file.write_bytes(orjson.dumps(described))
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "adapter_host", "serve", "--stdio", str(file)]
    )
    async with Client(stdio_client(parameters)) as connected:
        listed = [tool.name for tool in (await connected.list_tools()).tools]
        found = await connected.call_tool("search_tools", {"query": "abort an order"})
        called = await connected.call_tool("call_tool", {"name": "cancel-order", "arguments": {"id": 7}})
        with pytest.raises(MCPError, match="similar tools: 'cancel-order'"):
            await connected.call_tool("cancel-orders", {})
    assert listed == ["search_tools", "call_tool", "get-order"]
    assert found_names(found)[0] == "cancel-order"
    assert called.structured_content == {"done": "cancel-order"}


@pytest.mark.parametrize(("discovery", "count"), [(None, 6), ("all", 6), ("auto", 6), ("search", 3)])
def test_what_is_listed(discovery: str | None, count: int) -> None:
    exposer = exposer_of(document(discovery, pinned="get-order" if discovery == "search" else ""))
    assert len([entry for entry in exposer.catalog() if entry.details.get("listed", True)]) == count


def test_many_tokens_are_searched_with_auto() -> None:
    described = document("auto")
    for tool in described["capability"]["exposes"][0]["tools"]:
        tool["inputParameters"][0]["description"] = "long " * 3000
    exposer = exposer_of(described)
    entries = [entry.title for entry in exposer.catalog() if entry.details.get("listed", True)]
    assert entries == ["search_tools", "call_tool", "get-order"]


@pytest.mark.parametrize("discovery", ["search", "auto"])
def test_a_tool_with_a_reserved_name_is_a_problem(discovery: str) -> None:
    described = document(discovery)
    described["capability"]["exposes"][0]["tools"][0]["name"] = "call_tool"
    with pytest.raises(ProblemsError, match=f"'call_tool' is the name of a tool of 'x-discovery: {discovery}'"):
        build(described)


def test_a_pin_without_search_is_warned_about() -> None:
    problems = [problem.message for problem in build(document(None)).plans[0].loaded.diagnostics.problems]
    assert "'x-pinned' is ignored without 'x-discovery: search' or 'auto'; all tools are listed" in problems[-1]


def test_skills_and_resources_are_groups() -> None:
    described = document()
    skill = {
        "name": "refunds",
        "description": "Refund",
        "tools": [{"from": {"sourceNamespace": "shop", "action": name}} for name in ("get-order", "cancel-order")],
    }
    described["capability"]["exposes"].append({"type": "skill", "namespace": "skills", "port": 0, "skills": [skill]})
    (status, _) = build(described).status()
    entries = status.exposer.search("order", "refunds")
    assert entries is not None
    assert sorted(entry.title for entry in entries) == ["cancel-order", "get-order"]
    with pytest.raises(ArgumentError, match="unknown group 'none'; the groups are: Orders \\(3\\), refunds \\(2\\)"):
        status.exposer.search("order", "none")
