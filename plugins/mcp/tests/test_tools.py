"""Tools: names, definitions, header inputs and output schemas."""

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
from mcp_types import TextContent
from syrupy.assertion import SnapshotAssertion

import adapter_host_mcp
from adapter_host import Arguments, Host, Operations, Plugins, ProblemsError, Result, Settings, StartError
from adapter_host.testing import FakePlugin, running
from adapter_host_mcp.exposer import McpExposer

PORTABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
FULL = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def host_document(*tools: Mapping[str, Any], **exposed: Any) -> dict[str, Any]:
    keys = exposed or {"port": 0}
    exposer = {"type": "mcp", "namespace": "shop", "tools": list(tools), **keys}
    stock = {"type": "fake", "namespace": "stock", "operations": [{"name": "get"}]}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {"consumes": [stock], "exposes": [exposer]},
    }


def host(*tools: Mapping[str, Any], **exposed: Any) -> Host:
    """Build a host that exposes these tools, without starting it."""
    document = host_document(*tools, **exposed)
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    return Host(document, plugins=plugins, settings=Settings(environment={}))


def tool(name: str | None = "get-item", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Gets", "call": "stock.get", **more}


def exposer_of(built: Host) -> McpExposer:
    (status,) = built.status()
    assert isinstance(status.exposer, McpExposer)
    return status.exposer


def tool_names(built: Host) -> list[str]:
    return [entry.title for entry in exposer_of(built).catalog()]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (["get", "Get", "get-v2", "get_it", "g" * 64], ["get", "Get", "get-v2", "get_it", "g" * 64]),
        (["get.v2", "get-v2", "2nd", "-a"], ["get-v2-2", "get-v2", "_2nd", "a"]),
        (["get", "get", "get"], ["get", "get-2", "get-3"]),
        (["get", "get", "get-2"], ["get", "get-3", "get-2"]),
        (["get item", "get/item"], ["get-item", "get-item-2"]),
        (["get item", "get-item"], ["get-item-2", "get-item"]),
        (["é", "", " a "], ["tool", "get", "a"]),
        (["g" * 70, "g" * 70], ["g" * 64, "g" * 62 + "-2"]),
        ([None, None], ["get", "get-2"]),
    ],
)
def test_tool_names_become_legal_and_unique(declared: list[str | None], expected: list[str]) -> None:
    assert tool_names(host(*map(tool, declared))) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=70), max_size=6))
def test_any_tool_names_become_legal_and_unique(declared: list[str]) -> None:
    for profile, legal in (("portable", PORTABLE), ("full", FULL)):
        expected = tool_names(host(*map(tool, declared), port=0, **{"x-schema-profile": profile}))
        assert len(set(expected)) == len(expected) == len(declared)
        assert all(legal.fullmatch(name) for name in expected)
        assert all(expected[declared.index(name)] == name for name in declared if legal.fullmatch(name))


def test_warnings_for_renamed_tools(snapshot: SnapshotAssertion) -> None:
    warnings = host(tool("get"), tool("get"), tool("a b"), tool("a.b")).warnings
    assert [(warning.code, warning.message.partition(": ")[0]) for warning in warnings] == [
        ("renamed-tool", f"capability.exposes.0.tools.{index}.name") for index in (1, 2, 3)
    ]
    assert [warning.message for warning in warnings] == snapshot


def test_long_descriptions_are_cut_with_a_warning() -> None:
    longest, longer = "word " * 204 + "1234", "word " * 205
    built = host(tool("longest", description=longest), tool("longer", description=longer), tool(description="x" * 1025))
    described = [entry.details["description"] for entry in exposer_of(built).catalog()]
    assert described == [longest, "word " * 203 + "word…", "x" * 1023 + "…"]
    assert [(warning.code, warning.message.partition(": ")[0]) for warning in built.warnings] == [
        ("long-description", f"capability.exposes.0.tools.{index}.description") for index in (1, 2)
    ]
    full = host(tool(description=longer), port=0, **{"x-schema-profile": "full"})
    (entry,) = exposer_of(full).catalog()
    assert (entry.details["description"], full.warnings) == (longer, ())


def test_catalog_of_tools() -> None:
    (entry,) = exposer_of(host(tool(hints={"destructive": True, "idempotent": False}))).catalog()
    assert entry.details == {
        "description": "Gets",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "annotations": {"destructiveHint": True, "idempotentHint": False},
    }


@pytest.mark.parametrize(
    ("exposed", "code", "path"),
    [
        ({"transport": "sse"}, "type", ".transport"),
        ({"transport": "http"}, "missing-key", ""),
        ({"port": 70_000}, "type", ".port"),
    ],
    ids=["transport", "no port", "port"],
)
def test_invalid_exposers(exposed: dict[str, Any], code: str, path: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        host(tool(), **exposed)
    (problem,) = caught.value.problems
    assert (problem.code, problem.message.partition(": ")[0]) == (code, f"capability.exposes.0{path}")
    assert problem.message == snapshot


@pytest.mark.parametrize(
    ("authentication", "expected"),
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
def test_usage_is_a_client_configuration(authentication: dict[str, str] | None, expected: dict[str, Any]) -> None:
    guarded = {"authentication": authentication} if authentication else {}
    built = exposer_of(host(tool(), port=0, **guarded))
    server = {"type": "http", "url": "http://127.0.0.1:9090/mcp", **expected}
    assert json.loads(built.usage("http://127.0.0.1:9090/mcp")) == {"mcpServers": {"shop": server}}


def with_output(schema: Mapping[str, Any], data: Any, **exposed: Any) -> McpExposer:
    """Build the exposer of one tool with this output schema and result."""

    async def call(_: Arguments) -> Result:
        return Result(data=data)

    built = exposer_of(host(tool(), port=0, **exposed))
    operations = [replace(operation, output_schema=schema, call=call) for operation in built.operations.values()]
    return McpExposer(built.config, Operations(operations), built.context)


ARRAY = {"type": "array", "items": {"type": "string"}}


async def test_limits_of_inputs_are_checked_and_described() -> None:
    inputs = [
        {"name": "size", "type": "string", "values": ["s", "l"]},
        {"name": "count", "type": "integer", "required": False, "values": [2, 4]},
        {"name": "note", "type": "string", "required": False, "minLength": 2, "maxLength": 4},
    ]
    async with running(host_document(tool(inputParameters=inputs))) as served, Client(served.url("shop")) as client:
        (listed,) = (await client.list_tools()).tools
        assert listed.input_schema["properties"] == {
            "size": {"type": "string", "enum": ["s", "l"]},
            "count": {"type": "integer", "description": "One of 2, 4.", "minimum": 2, "maximum": 4},
            "note": {"type": "string", "minLength": 2, "maxLength": 4},
        }
        assert not (await client.call_tool("get-item", {"size": "l", "count": 4, "note": "abcd"})).is_error
        for invalid in ({"size": "m"}, {"size": "l", "count": 3}, {"size": "l", "note": "abcde"}):
            result = await client.call_tool("get-item", invalid)
            (content,) = result.content
            assert result.is_error
            assert isinstance(content, TextContent)
            assert "must be " in content.text


@pytest.mark.parametrize(
    ("mode", "schema", "structured"),
    [
        ("legacy", {"type": "object", "properties": {"result": ARRAY}, "required": ["result"]}, {"result": ["a"]}),
        ("2026-07-28", ARRAY, ["a"]),
    ],
)
async def test_array_output_is_wrapped_for_handshake_revisions(
    mode: str, schema: dict[str, Any], structured: Any
) -> None:
    built = with_output(ARRAY, ["a"])
    async with TestServer(built.build_app()) as server, Client(str(server.make_url("/mcp")), mode=mode) as client:
        (listed,) = (await client.list_tools()).tools
        result = await client.call_tool("get-item")
    assert listed.output_schema == schema
    assert result.structured_content == structured
    assert [content.model_dump(exclude_none=True) for content in result.content] == [{"type": "text", "text": '["a"]'}]


async def test_object_output_schema_is_unchanged() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    built = with_output(schema, {"a": 1})
    async with TestServer(built.build_app()) as server, Client(str(server.make_url("/mcp"))) as client:
        (listed,) = (await client.list_tools()).tools
        result = await client.call_tool("get-item")
    assert (listed.output_schema, result.structured_content) == (schema, {"a": 1})


def test_unrepresentable_tool_fails_at_build(snapshot: SnapshotAssertion) -> None:
    built = with_output({"type": "object", "properties": 7}, {}, **{"x-schema-profile": "full"})
    with pytest.raises(StartError) as caught:
        built.build_app()
    assert str(caught.value) == snapshot


INSPECT_SCRIPT = """
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


def test_catalog_and_usage_do_not_import_the_sdk() -> None:
    completed = subprocess.run([sys.executable, "-c", INSPECT_SCRIPT], capture_output=True, text=True, check=True)
    assert completed.stdout == "[]\n"


def test_stdio_without_port(snapshot: SnapshotAssertion) -> None:
    assert exposer_of(host(tool(), transport="stdio")).stdio
    (warning,) = host(tool(), transport="stdio", port=9090).warnings
    assert warning.code == "ignored"
    assert warning.message == snapshot


def test_declared_inputs_are_required_by_default() -> None:
    declared = [{"name": "a", "type": "string"}, {"name": "b", "required": False}]
    (entry,) = exposer_of(host(tool(inputParameters=declared))).catalog()
    assert entry.details["inputSchema"]["required"] == ["a"]


HEADER_TOOL = tool(
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


def header_document(*more: Mapping[str, Any]) -> dict[str, Any]:
    stock = {"type": "fake", "namespace": "stock", "operations": [WHOAMI]}
    exposer = {"type": "mcp", "namespace": "shop", "port": 0, "tools": [HEADER_TOOL, *more]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [stock], "exposes": [exposer]}}


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_declared_header_input_is_forwarded(mode: str) -> None:
    headers = {"x-caller-token": "caller-1", "x-level": "3", "authorization": "Bearer kept", "cookie": "kept=1"}
    async with running(header_document()) as served, connect(served.url("shop"), mode, headers) as client:
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


async def test_request_headers_are_not_forwarded_by_default() -> None:
    plain = tool("plain", call="stock.whoami")
    headers = {"authorization": "Bearer caller-1", "level": "3"}
    async with running(header_document(plain)) as served, connect(served.url("shop"), "legacy", headers) as client:
        await client.call_tool("plain", {})
    assert served.fake("stock").calls == [("whoami", {})]


@pytest.mark.parametrize(
    ("headers", "arguments"),
    [
        ({}, {}),
        ({"x-caller-token": "caller-1"}, {"X-Caller-Token": "forged"}),
        ({"x-caller-token": "caller-1", "x-level": "high"}, {}),
    ],
    ids=["missing", "argument", "type"],
)
async def test_invalid_header_input_is_a_tool_error(
    headers: dict[str, str], arguments: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    async with running(header_document()) as served, connect(served.url("shop"), "legacy", headers) as client:
        result = await client.call_tool("who", arguments)
    (content,) = result.content
    assert result.is_error
    assert content.model_dump()["text"] == snapshot
    assert served.fake("stock").calls == []


@asynccontextmanager
async def connect(url: str, mode: str, headers: Mapping[str, str]) -> AsyncIterator[Client]:
    """Connect the official client with these headers in every request."""
    async with (
        httpx2.AsyncClient(headers=dict(headers)) as http_client,
        Client(streamable_http_client(url, http_client=http_client), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("headers", [{}, {"mcp-protocol-version": "2026-07-28"}])
async def test_schema_violation_is_logged_and_passed_on(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture, snapshot: SnapshotAssertion
) -> None:
    schema = {"type": "object", "properties": {"left": {"type": ["array", "null"], "items": {"type": "integer"}}}}
    data = {"left": [1, "a secret"]}
    async with TestServer(with_output(schema, data).build_app()) as server:
        result = await call_without_client(str(server.make_url("/mcp")), headers)
    assert (result["isError"], result["structuredContent"]) == (False, data)
    ((_, level, message),) = [record for record in caplog.record_tuples if record[0] == "adapter_host.mcp"]
    assert level == logging.WARNING
    assert message == snapshot


async def call_without_client(url: str, headers: Mapping[str, str]) -> Any:
    """Call the tool without the SDK's client, which would validate the result."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get-item"}}
    request_headers = {"accept": "application/json, text/event-stream", **headers}
    if headers:
        body["params"]["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        request_headers |= {"mcp-method": "tools/call", "mcp-name": "get-item"}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=request_headers) as response:
        return (await response.json())["result"]


async def test_valid_result_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    built = with_output({"type": "object", "properties": {"a": {"type": ["integer", "null"]}}}, {"a": None})
    async with TestServer(built.build_app()) as server, Client(str(server.make_url("/mcp"))) as client:
        await client.call_tool("get-item")
    assert [record for record in caplog.record_tuples if record[0] == "adapter_host.mcp"] == []
