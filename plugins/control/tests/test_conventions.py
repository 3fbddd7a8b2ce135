"""Tests of the names of OpenTelemetry's conventions for MCP, in traces and metrics."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client

from adapter_host import Host, ProblemsError, Settings
from adapter_host.testing import Running, running

from .conftest import Api, control, document, mcp, rest, served_api
from .test_metrics import samples
from .test_otlp import served_collector
from .test_traces import get, spans, traces

CALL = {
    "mcp.method.name": "tools/call",
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "list-things",
    "mcp.protocol.version": "2026-07-28",
    "network.transport": "tcp",
    "network.protocol.name": "http",
}
LABELS = tuple(f"{name.replace('.', '_')}={value}" for name, value in sorted(CALL.items()))


def served_document(url: str, conventions: str | None = "otel", **more: Any) -> dict[str, Any]:
    """Return a document with a tool, resources and the same operation over REST."""
    tools = mcp()
    tools["resources"] = [
        {"name": "things", "uri": "shop://things", "description": "All", "call": "api.list"},
        {"name": "thing", "uri": "shop://things/{id}", "description": "One", "call": "api.find"},
    ]
    observability = {} if conventions is None else {"conventions": conventions}
    return document(url, tools, rest(), control(observability={**observability, **more}))


async def span_of_last_call(session: aiohttp.ClientSession, served: Running) -> dict[str, Any]:
    trace, *_ = await traces(session, served)
    span: dict[str, Any] = (await spans(session, served, trace["traceId"]))[0]
    assert len(span["attributes"].pop("naftiko.request.id")) == 16
    assert span["kind"] == "SERVER"
    return span


@pytest.fixture
async def served(api: Api) -> AsyncIterator[Running]:
    async with running(served_document(api.url)) as served:
        yield served


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tool_call(session: aiohttp.ClientSession, served: Running, mode: Any) -> None:
    async with Client(served.url("tools"), mode=mode) as client:
        await client.call_tool("list-things", {})
        version = client.protocol_version
    trace, *_ = await traces(session, served)
    names = [span["name"] for span in await spans(session, served, trace["traceId"])]
    assert names == ["tools/call list-things", "http.client.GET"]
    span = await span_of_last_call(session, served)
    assert span["attributes"].pop("jsonrpc.request.id").isdigit()
    if mode == "legacy":
        assert len(span["attributes"].pop("mcp.session.id")) == 16
    status = {"http.response.status_code": 200}
    assert span["attributes"] == {**CALL, "mcp.protocol.version": version, **status}


async def test_failed_tool_call(session: aiohttp.ClientSession, api: Api, served: Running) -> None:
    api.status = 500
    async with Client(served.url("tools"), mode="auto") as client:
        assert (await client.call_tool("list-things", {})).is_error
    span = await span_of_last_call(session, served)
    assert (span["status"], span["attributes"]["error.type"]) == ("error", "tool_error")
    assert "rpc.response.status_code" not in span["attributes"]
    values = await samples(session, served)
    assert values[("mcp_server_operation_duration_seconds_count", *sorted(("error_type=tool_error", *LABELS)))] == 1
    assert not [name for name, *labels in values if name.startswith("naftiko_request")]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_failed_resource(session: aiohttp.ClientSession, api: Api, served: Running, mode: Any) -> None:
    async with Client(served.url("tools"), mode=mode) as client:
        api.status = 404
        with pytest.raises(MCPError) as caught:
            await client.read_resource("shop://things/private")
        resource = await span_of_last_call(session, served)
    assert resource["name"] == "resources/read"
    assert resource["attributes"]["mcp.resource.uri"] == "shop://things/{id}"
    code = str(caught.value.error.code)
    assert code == ("-32602" if mode == "auto" else "-32002")
    assert resource["attributes"]["error.type"] == resource["attributes"]["rpc.response.status_code"] == code


async def test_found_tools_have_their_own_name(session: aiohttp.ClientSession, api: Api) -> None:
    capability = served_document(api.url)
    capability["capability"]["exposes"][0]["x-discovery"] = "search"
    async with running(capability) as served:
        async with Client(served.url("tools"), mode="auto") as client:
            await client.call_tool("call_tool", {"name": "list-things", "arguments": {}})
        span = await span_of_last_call(session, served)
    assert (span["name"], span["attributes"]["gen_ai.tool.name"]) == ("tools/call list-things", "list-things")


async def test_both(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(served_document(api.url, "both")) as served:
        api.status = 500
        async with Client(served.url("tools"), mode="auto") as client:
            await client.call_tool("list-things", {})
        span = await span_of_last_call(session, served)
        values = await samples(session, served)
    assert span["name"] == "mcp.request"
    own = {"naftiko.adapter.type": "mcp", "naftiko.operation.id": "list-things", "error.type": "500"}
    assert {**CALL, **own}.items() <= span["attributes"].items()
    tool = ("naftiko_adapter_type=mcp", "naftiko_operation_id=list-things")
    assert values[("naftiko_request_total", *tool, "status=error")] == 1
    assert values[("mcp_server_operation_duration_seconds_count", *sorted(("error_type=tool_error", *LABELS)))] == 1


@pytest.mark.parametrize("conventions", [None, "naftiko"])
async def test_language_names_by_default(session: aiohttp.ClientSession, api: Api, conventions: str | None) -> None:
    async with running(served_document(api.url, conventions)) as served:
        async with Client(served.url("tools"), mode="auto") as client:
            await client.call_tool("list-things", {})
        span = await span_of_last_call(session, served)
        values = await samples(session, served)
    assert (span["name"], set(span["attributes"])) == (
        "mcp.request",
        {"naftiko.adapter.type", "naftiko.operation.id", "http.response.status_code"},
    )
    assert not [name for name, *_ in values if name.startswith("mcp_")]


async def test_other_exposers_keep_their_names(session: aiohttp.ClientSession, served: Running) -> None:
    assert await get(session, f"{served.url('shop')}/things") == 200
    span = await span_of_last_call(session, served)
    assert (span["name"], span["attributes"]["naftiko.operation.id"]) == ("rest.request", "/things GET")
    values = await samples(session, served)
    assert values[
        ("naftiko_request_total", "naftiko_adapter_type=rest", "naftiko_operation_id=/things GET", "status=ok")
    ]


async def test_export_of_calls_over_stdio(tmp_path: Path) -> None:
    async with served_api() as api, served_collector() as collector:
        capability = served_document(api.url, exporters={"otlp": {"endpoint": collector.url}})
        capability["capability"]["exposes"] = [
            {**exposer, "transport": "stdio"} if exposer["type"] == "mcp" else exposer
            for exposer in capability["capability"]["exposes"]
            if exposer["type"] != "rest"
        ]
        del capability["capability"]["exposes"][0]["port"]
        file = tmp_path / "shop.yaml"
        file.write_text(yaml.safe_dump(capability))
        arguments = ["-m", "adapter_host", "serve", "--capability", str(file)]
        async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=arguments))) as client:
            await client.call_tool("list-things", {})
        await collector.received.wait()
        (span,) = [span for span in collector.spans if span.name == "tools/call list-things"]
        attributes = {each.key: each.value.string_value for each in span.attributes}
    assert (attributes["network.transport"], attributes["mcp.method.name"]) == ("pipe", "tools/call")
    (point,) = collector.metrics["mcp.server.operation.duration"].histogram.data_points
    assert (point.count, point.explicit_bounds[0], point.explicit_bounds[-1]) == (1, 0.01, 300)


def test_unknown_conventions() -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(served_document("http://127.0.0.1:9", "opentelemetry"), settings=Settings(environment={}))
    (problem,) = caught.value.problems
    assert "'naftiko', 'otel' or 'both'" in problem.message
