"""What becomes of declared operations: their names, what is told of them, and what is not allowed."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import httpx2
import pytest
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import adapter_host_mcp
from adapter_host import Arguments, Host, Operations, Plugins, ProblemsError, Result, Settings, StartError
from adapter_host.testing import FakePlugin, running
from adapter_host_mcp.exposer import McpExposer

LEGAL = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def host(*tools: Mapping[str, Any], **exposed: Any) -> Host:
    """Return a host, not started, that exposes these tools."""
    given = exposed or {"port": 0}
    exposer = {"type": "mcp", "namespace": "shop", "tools": list(tools), **given}
    stock = {"type": "fake", "namespace": "stock", "operations": [{"name": "get"}]}
    document = {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {"consumes": [stock], "exposes": [exposer]},
    }
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    return Host(document, plugins=plugins, settings=Settings(environment={}))


def tool(name: str | None = "get-item", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Gets", "call": "stock.get", **more}


def exposer_of(built: Host) -> McpExposer:
    (status,) = built.status()
    assert isinstance(status.exposer, McpExposer)
    return status.exposer


def names(built: Host) -> list[str]:
    return [offer.title for offer in exposer_of(built).catalog()]


@pytest.mark.parametrize(
    ("declared", "offered"),
    [
        (["get", "Get", "get.v2", "get_it", "g" * 64], ["get", "Get", "get.v2", "get_it", "g" * 64]),
        (["get", "get", "get"], ["get", "get-2", "get-3"]),
        (["get", "get", "get-2"], ["get", "get-3", "get-2"]),
        (["get item", "get/item"], ["get-item", "get-item-2"]),
        (["get item", "get-item"], ["get-item-2", "get-item"]),
        (["é", "", " a "], ["tool", "get", "a"]),
        (["g" * 70, "g" * 70], ["g" * 64, "g" * 62 + "-2"]),
        ([None, None], ["get", "get-2"]),
    ],
)
def test_names_are_kept_or_made_legal_and_unique(declared: list[str | None], offered: list[str]) -> None:
    assert names(host(*map(tool, declared))) == offered


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=70), max_size=6))
def test_any_names_come_out_legal_and_unique(declared: list[str]) -> None:
    offered = names(host(*map(tool, declared)))
    assert len(set(offered)) == len(offered) == len(declared)
    assert all(LEGAL.fullmatch(name) for name in offered)
    assert all(offered[declared.index(name)] == name for name in declared if LEGAL.fullmatch(name))


def test_a_rename_is_told() -> None:
    warnings = [str(problem) for problem in host(tool("get"), tool("get"), tool("a b")).warnings]
    assert [warning.partition(".name: ")[2] for warning in warnings] == [
        "tool 'get' is offered as 'get-2': another tool of this exposer has that name",
        "tool 'a b' is offered as 'a-b': a tool's name has letters, digits, '_', '-' and '.' alone, at most 64",
    ]


def test_offers_tell_what_clients_are_told() -> None:
    (offer,) = exposer_of(host(tool(hints={"destructive": True, "idempotent": False}))).catalog()
    assert offer.details == {
        "description": "Gets",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "annotations": {"destructiveHint": True, "idempotentHint": False},
    }


@pytest.mark.parametrize(
    ("exposed", "message"),
    [
        ({"transport": "sse"}, "'transport' must be one of 'http' or 'stdio' (given 'sse')"),
        ({"transport": "http"}, "'port' is missing (0 takes any free one; 'transport: stdio' needs none)"),
        ({"port": 70_000}, "'port' must be at most 65535 (given 70000)"),
    ],
)
def test_what_cannot_be_served_is_a_problem(exposed: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemsError, match=re.escape(message)):
        host(tool(), **exposed)


@pytest.mark.parametrize(
    ("authentication", "configured"),
    [
        (None, {}),
        ({"type": "bearer", "token": "t"}, {"headers": {"Authorization": "Bearer <token>"}}),
        ({"type": "apikey", "key": "X-Key", "value": "v"}, {"headers": {"X-Key": "<key>"}}),
        (
            {"type": "apikey", "key": "k", "value": "v", "placement": "query"},
            {"url": "http://127.0.0.1:9090/mcp?k=<key>"},
        ),
        (
            {"type": "basic", "username": "u", "password": "p"},
            {"headers": {"Authorization": "Basic <base64 of user:password>"}},
        ),
    ],
)
def test_usage_is_a_configuration_to_paste(authentication: dict[str, str] | None, configured: dict[str, Any]) -> None:
    guarded = {"authentication": authentication} if authentication else {}
    built = exposer_of(host(tool(), port=0, **guarded))
    server = {"type": "http", "url": "http://127.0.0.1:9090/mcp", **configured}
    assert json.loads(built.usage("http://127.0.0.1:9090/mcp")) == {"mcpServers": {"shop": server}}


def with_output(schema: Mapping[str, Any], data: Any) -> McpExposer:
    """Return the exposer of one tool, of which the core would know what it gives."""

    async def call(_: Arguments) -> Result:
        return Result(data=data)

    built = exposer_of(host(tool()))
    told = [replace(operation, output_schema=schema, call=call) for operation in built.operations.values()]
    return McpExposer(built.config, Operations(told), built.context)


ARRAY = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("mode", "schema", "structured"),
    [
        ("legacy", {"type": "object", "properties": {"result": ARRAY}, "required": ["result"]}, {"result": ["a"]}),
        ("2026-07-28", ARRAY, ["a"]),
    ],
)
async def test_an_output_that_is_no_object_is_wrapped_where_it_must_be(
    mode: str, schema: dict[str, Any], structured: Any
) -> None:
    built = with_output(ARRAY, ["a"])
    async with TestServer(built.build_app()) as server, Client(str(server.make_url("/mcp")), mode=mode) as client:
        (listed,) = (await client.list_tools()).tools
        result = await client.call_tool("get-item")
    assert listed.output_schema == schema
    assert result.structured_content == structured
    assert [content.model_dump(exclude_none=True) for content in result.content] == [{"type": "text", "text": '["a"]'}]


async def test_an_output_that_is_an_object_is_told_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    built = with_output(schema, {"a": 1})
    async with TestServer(built.build_app()) as server, Client(str(server.make_url("/mcp"))) as client:
        (listed,) = (await client.list_tools()).tools
        result = await client.call_tool("get-item")
    assert (listed.output_schema, result.structured_content) == (schema, {"a": 1})


def test_a_tool_that_the_protocol_has_no_room_for_is_named_before_anything_is_served() -> None:
    built = with_output({"type": "object", "properties": 7}, {})
    with pytest.raises(StartError, match=r"tool 'get-item' cannot be offered over MCP 2025-11-25: its outputSchema"):
        built.build_app()


LOOK = """
import sys
from adapter_host import Host, Plugins, Settings
import adapter_host_mcp
exposer = {"type": "mcp", "namespace": "shop", "port": 0, "tools": []}
document = {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [exposer]}}
host = Host(document, plugins=Plugins({"mcp": adapter_host_mcp}), settings=Settings(environment={}))
(status,) = host.status()
list(status.exposer.catalog())
status.exposer.usage("http://localhost/mcp")
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("mcp", "mcp_types")))
"""


def test_a_look_at_a_document_does_not_cost_the_import_of_the_sdk() -> None:
    looked = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert looked.stdout == "[]\n"


def test_stdio_needs_no_port() -> None:
    assert exposer_of(host(tool(), transport="stdio")).stdio
    (warning,) = host(tool(), transport="stdio", port=9090).warnings
    assert warning.message.endswith("'port' is not allowed with 'transport: stdio'")


def test_a_declared_input_is_required_unless_it_says_otherwise() -> None:
    declared = [{"name": "a", "type": "string"}, {"name": "b", "required": False}]
    (offer,) = exposer_of(host(tool(inputParameters=declared))).catalog()
    assert offer.details["inputSchema"]["required"] == ["a"]


FORWARDING = tool(
    "who",
    call="stock.whoami",
    inputParameters=[
        {"name": "X-Caller-Token", "in": "header", "type": "string", "description": "The caller's own"},
        {"name": "X-Level", "in": "header", "type": "integer", "required": False},
        {"name": "verbose", "type": "boolean", "required": False},
    ],
    **{"with": {"authorization": "Bearer {{X-Caller-Token}}", "level": "{{X-Level}}", "verbose": "{{verbose}}"}},
)
WHOAMI = {
    "name": "whoami",
    "inputParameters": [
        {"name": "authorization", "in": "header"},
        {"name": "level", "in": "header", "type": "integer"},
        {"name": "verbose", "in": "query", "type": "boolean"},
    ],
}


def forwarding(*more: Mapping[str, Any]) -> dict[str, Any]:
    stock = {"type": "fake", "namespace": "stock", "operations": [WHOAMI]}
    exposer = {"type": "mcp", "namespace": "shop", "port": 0, "tools": [FORWARDING, *more]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [stock], "exposes": [exposer]}}


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_callers_header_is_forwarded_where_the_document_takes_it(mode: str) -> None:
    headers = {"x-caller-token": "caller-1", "x-level": "3", "authorization": "Bearer kept", "cookie": "kept=1"}
    async with running(forwarding()) as served, connected(served.url("shop"), mode, headers) as client:
        (listed,) = (await client.list_tools()).tools
        result = await client.call_tool("who", {"verbose": True})
    assert listed.input_schema == {
        "type": "object",
        "properties": {"verbose": {"type": "boolean"}},
        "additionalProperties": False,
    }
    assert not result.is_error
    assert served.fake("stock").calls == [
        ("whoami", {"authorization": "Bearer caller-1", "level": 3, "verbose": True}),
    ]


async def test_a_callers_header_is_forwarded_nowhere_by_default() -> None:
    plain = tool("plain", call="stock.whoami")
    headers = {"authorization": "Bearer caller-1", "level": "3"}
    async with running(forwarding(plain)) as served, connected(served.url("shop"), "legacy", headers) as client:
        await client.call_tool("plain", {})
    assert served.fake("stock").calls == [("whoami", {})]


@pytest.mark.parametrize(
    ("headers", "arguments", "message"),
    [
        ({}, {}, "'X-Caller-Token' is required"),
        (
            {"x-caller-token": "caller-1"},
            {"X-Caller-Token": "forged"},
            "'X-Caller-Token' is taken from the HTTP request's header, not from the arguments",
        ),
        (
            {"x-caller-token": "caller-1", "x-level": "high"},
            {},
            "'X-Level' must be an integer (given \"high\")",
        ),
    ],
)
async def test_a_header_that_is_not_as_declared_is_told(
    headers: dict[str, str], arguments: dict[str, Any], message: str
) -> None:
    async with running(forwarding()) as served, connected(served.url("shop"), "legacy", headers) as client:
        result = await client.call_tool("who", arguments)
    (content,) = result.content
    assert (result.is_error, content.model_dump()["text"]) == (True, message)
    assert served.fake("stock").calls == []


@asynccontextmanager
async def connected(url: str, mode: str, headers: Mapping[str, str]) -> AsyncIterator[Client]:
    """Yield the official client, sending these headers with every request."""
    async with (
        httpx2.AsyncClient(headers=dict(headers)) as http_client,
        Client(streamable_http_client(url, http_client=http_client), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("headers", [{}, {"mcp-protocol-version": "2026-07-28"}])
async def test_a_result_that_breaks_its_own_schema_is_passed_on_with_a_warning(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    schema = {"type": "object", "properties": {"left": {"type": ["array", "null"], "items": {"type": "integer"}}}}
    data = {"left": [1, "a secret"]}
    async with TestServer(with_output(schema, data).build_app()) as server:
        result = await raw_call(str(server.make_url("/mcp")), headers)
    assert (result["isError"], result["structuredContent"]) == (False, data)
    ((_, level, message),) = [each for each in caplog.record_tuples if each[0] == "adapter_host.mcp"]
    assert level == logging.WARNING
    assert message == "tool 'get-item': its result is not as its output schema says at $.left[1]"


async def raw_call(url: str, headers: Mapping[str, str]) -> Any:
    """Return a call without a client, as that of the SDK checks results against the schema itself."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get-item"}}
    sent = {"accept": "application/json, text/event-stream", **headers}
    if headers:
        body["params"]["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        sent |= {"mcp-method": "tools/call", "mcp-name": "get-item"}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=sent) as answer:
        return (await answer.json())["result"]


async def test_a_result_as_declared_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    built = with_output({"type": "object", "properties": {"a": {"type": ["integer", "null"]}}}, {"a": None})
    async with TestServer(built.build_app()) as server, Client(str(server.make_url("/mcp"))) as client:
        await client.call_tool("get-item")
    assert [each for each in caplog.record_tuples if each[0] == "adapter_host.mcp"] == []
