"""Tests of traces: parents across hosts and protocols, limits, and data that must not be in them."""

from __future__ import annotations

import gc
from typing import Any, cast

import aiohttp
import pytest
from mcp import Client
from mcp_types import RequestParamsMeta

from adapter_host import Host, Plugins, ProblemsError, Settings
from adapter_host.testing import Running, running

from .conftest import Api, consumed_api, control, document, mcp, rest

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"

STEPS = {
    "method": "GET",
    "name": "both",
    "steps": [
        {"type": "call", "name": "all", "call": "api.list"},
        {"type": "lookup", "name": "one", "index": "all", "match": "id", "lookupValue": 1, "outputParameters": ["id"]},
    ],
}


async def get(session: aiohttp.ClientSession, url: str, **headers: str) -> int:
    async with session.get(url, headers=headers) as response:
        await response.read()
        return response.status


async def traces(session: aiohttp.ClientSession, served: Running, query: str = "") -> list[Any]:
    async with session.get(f"{served.url('control')}/traces{query}") as response:
        items: list[Any] = (await response.json())["traces"]
        return items


async def spans(session: aiohttp.ClientSession, served: Running, trace: str) -> list[Any]:
    async with session.get(f"{served.url('control')}/traces/{trace}") as response:
        assert response.status == 200
        items: list[Any] = (await response.json())["spans"]
        return items


def sent_trace_context(api: Api) -> tuple[str, str, bool]:
    """Return the trace, the span and the sampled flag that the API received."""
    version, trace, span, flags = api.headers[0]["traceparent"].split("-")
    assert version == "00"
    return trace, span, bool(int(flags, 16) & 1)


async def test_request_and_upstream_call(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(), control())) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
        (trace,) = await traces(session, served)
        assert (trace["operation"], trace["status"], trace["spanCount"]) == ("/things GET", "ok", 2)
        server, client = await spans(session, served, trace["traceId"])
    assert (server["name"], server["kind"], server.get("parentSpanId")) == ("rest.request", "SERVER", None)
    assert (client["name"], client["kind"], client["parentSpanId"]) == ("http.client.GET", "CLIENT", server["spanId"])
    assert len(server["attributes"].pop("naftiko.request.id")) == 16
    assert server["attributes"] == {
        "naftiko.adapter.type": "rest",
        "naftiko.operation.id": "/things GET",
        "http.response.status_code": 200,
    }
    assert client["attributes"]["url.full"] == f"{api.url}/things"
    assert sent_trace_context(api) == (trace["traceId"], client["spanId"], True)


async def test_trace_contains_no_request_data(session: aiohttp.ClientSession, api: Api) -> None:
    operation = {"method": "GET", "name": "find", "call": "api.find"}
    exposer = rest(operation)
    exposer["resources"][0]["path"] = "/things/{id}"
    async with running(document(api.url, exposer, control())) as served:
        assert await get(session, f"{served.url('shop')}/things/private?more=personal") == 200
        (trace,) = await traces(session, served)
        items = await spans(session, served, trace["traceId"])
        assert trace["operation"] == "/things/{id} GET"
    assert items[1]["attributes"]["url.full"] == f"{api.url}/things/{{id}}"
    assert not [secret for secret in ("private", "personal", "k3y") if secret in str(items)]


async def test_steps(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(STEPS), control())) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
        (trace,) = await traces(session, served)
        items = await spans(session, served, trace["traceId"])
    names = {span["spanId"]: span["name"] for span in items}
    assert [(span["name"], names.get(span.get("parentSpanId", ""))) for span in items] == [
        ("rest.request", None),
        ("step.call", "rest.request"),
        ("http.client.GET", "step.call"),
        ("step.lookup", "rest.request"),
    ]


async def test_functions(session: aiohttp.ClientSession, api: Api) -> None:
    function = {"name": "list", "call": "api.list"}
    aggregates = [{"namespace": "store", "functions": [function]}]
    tool = {"name": "list", "description": "Lists", "ref": "store.list"}
    capability = document(
        api.url, mcp(tool), rest({"method": "GET", "ref": "store.list"}), control(), aggregates=aggregates
    )
    async with running(capability) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
        async with Client(served.url("tools"), mode="auto") as client:
            await client.call_tool("list", {})
        of_tool, of_rest = await traces(session, served)
        assert [span["name"] for span in await spans(session, served, of_rest["traceId"])] == [
            "rest.request",
            "aggregate.function",
            "http.client.GET",
        ]
        assert [span["name"] for span in await spans(session, served, of_tool["traceId"])] == [
            "mcp.request",
            "mcp.tool",
            "aggregate.function",
            "http.client.GET",
        ]


async def test_trace_spans_two_hosts(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(), control())) as second:
        capability = document(second.url("shop"), rest(namespace="front"), control())
        async with running(capability) as first:
            assert await get(session, f"{first.url('front')}/things", traceparent=PARENT) == 200
            outer = await spans(session, first, TRACE)
            inner = await spans(session, second, TRACE)
    assert [span["parentSpanId"] for span in (*outer, *inner)] == [
        "b7ad6b7169203331",
        outer[0]["spanId"],
        outer[1]["spanId"],
        inner[0]["spanId"],
    ]
    assert sent_trace_context(api) == (TRACE, inner[1]["spanId"], True)


async def test_b3(session: aiohttp.ClientSession, api: Api) -> None:
    observability = {"traces": {"propagation": "b3"}}
    async with running(document(api.url, rest(), control(observability=observability))) as served:
        headers = {"X-B3-TraceId": TRACE, "X-B3-SpanId": "b7ad6b7169203331", "X-B3-Sampled": "1"}
        assert await get(session, f"{served.url('shop')}/things", **headers) == 200
        server, client = await spans(session, served, TRACE)
    assert server["parentSpanId"] == "b7ad6b7169203331"
    sent = {name: value for name, value in api.headers[0].items() if name.startswith("x-b3-")}
    assert sent == {
        "x-b3-traceid": TRACE,
        "x-b3-spanid": client["spanId"],
        "x-b3-sampled": "1",
    }
    assert "traceparent" not in api.headers[0]


@pytest.mark.parametrize(("headers", "trace_count"), [({}, 0), ({"traceparent": PARENT}, 1)])
async def test_sampling_0_follows_the_parent(
    session: aiohttp.ClientSession, api: Api, headers: dict[str, str], trace_count: int
) -> None:
    observability = {"traces": {"sampling": 0}}
    async with running(document(api.url, rest(), control(observability=observability))) as served:
        assert await get(session, f"{served.url('shop')}/things", **headers) == 200
        assert len(await traces(session, served)) == trace_count
    assert sent_trace_context(api)[2] == bool(trace_count)


async def test_errors_and_trace_filters(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(), mcp(), control())) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
        api.status = 500
        assert await get(session, f"{served.url('shop')}/things") == 500
        (failed,) = await traces(session, served, "?status=ERROR")
        server, client = await spans(session, served, failed["traceId"])
        assert [span["status"] for span in (server, client)] == ["error", "error"]
        assert client["attributes"]["error.type"] == "500"
        assert client["attributes"]["http.response.status_code"] == 500
        async with Client(served.url("tools"), mode="auto") as client:
            assert (await client.call_tool("list-things", {})).is_error
        assert [trace["status"] for trace in await traces(session, served, "?operation=list-things")] == ["error"]
        assert len(await traces(session, served, "?operation=/things%20GET&status=ok")) == 1
        assert await traces(session, served, "?operation=other") == []
        for unknown in (TRACE, "x"):
            assert await get(session, f"{served.url('control')}/traces/{unknown}") == 404


async def test_trace_of_an_mcp_client(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, mcp(), control())) as served:
        async with Client(served.url("tools"), mode="2026-07-28") as client:
            await client.call_tool("list-things", {}, meta=cast(RequestParamsMeta, {"traceparent": PARENT}))
            await client.call_tool("list-things", {})
        second, first = await traces(session, served)
        assert first["traceId"] == TRACE
        assert second["traceId"] != TRACE
        items = await spans(session, served, TRACE)
    assert [(span["name"], span["kind"]) for span in items] == [
        ("mcp.request", "SERVER"),
        ("mcp.tool", "INTERNAL"),
        ("http.client.GET", "CLIENT"),
    ]
    assert items[0]["parentSpanId"] == "b7ad6b7169203331"


async def test_exposer_without_http(session: aiohttp.ClientSession, api: Api) -> None:
    exposer = {"type": "echo", "namespace": "lines", "port": 0, "operations": [{"call": "api.list"}]}
    async with running(document(api.url, exposer, control())) as served:
        await served.host.call("lines.list")
        (trace,) = await traces(session, served)
        assert [span["name"] for span in await spans(session, served, trace["traceId"])] == [
            "echo.request",
            "http.client.GET",
        ]


async def test_trace_buffer_is_bounded(session: aiohttp.ClientSession, api: Api) -> None:
    observability = {"traces": {"local": {"buffer-size": 10}}}
    async with running(document(api.url, rest(), control(observability=observability))) as served:
        for _ in range(12):
            assert await get(session, f"{served.url('shop')}/things") == 200
        async with session.get(f"{served.url('control')}/traces") as response:
            body = await response.json()
        assert (body["bufferSize"], body["bufferUsed"], len(body["traces"])) == (10, 10, 10)


async def test_spans_per_trace_are_bounded(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(), control())) as served:
        for _ in range(300):
            await get(session, f"{served.url('shop')}/things", traceparent=PARENT)
        (trace,) = await traces(session, served)
        assert trace["spanCount"] == 600
        assert len(await spans(session, served, TRACE)) == 500


async def test_forwarded_request_is_traced(session: aiohttp.ClientSession, api: Api) -> None:
    forward = {"targetNamespace": "api", "trustedHeaders": ["Accept"]}
    exposer = {"type": "rest", "namespace": "shop", "port": 0, "resources": [{"path": "/{path}", "forward": forward}]}
    async with running(document(api.url, exposer, control())) as served:
        assert await get(session, f"{served.url('shop')}/private/things?key=k3y", traceparent=PARENT) == 200
        server, client = await spans(session, served, TRACE)
        async with session.get(f"{served.url('control')}/metrics") as response:
            text = await response.text()
    assert (server["name"], client["name"]) == ("rest.request", "http.client")
    assert sent_trace_context(api) == (TRACE, client["spanId"], True)
    assert not [secret for secret in ("private", "k3y") if secret in f"{server} {client}"]
    assert 'naftiko_http_client_total{http_response_status_code="200",naftiko_namespace="api"' in text


async def test_each_retry_is_a_span(session: aiohttp.ClientSession, api: Api) -> None:
    retry = {"x-resilience": {"retry": {"attempts": 3, "backoff": 0.001}}}
    capability = document("", rest(), control(), consumes=[consumed_api(api.url, **retry)])
    async with running(capability) as served:
        api.status = 503
        assert await get(session, f"{served.url('shop')}/things") == 503
        (trace,) = await traces(session, served)
        names = [span["name"] for span in await spans(session, served, trace["traceId"])]
    assert names == ["rest.request", *["http.client.GET"] * 3]


async def test_calls_are_not_wrapped_without_a_control_exposer(session: aiohttp.ClientSession, api: Api) -> None:
    """The calls are the same as those of a host without the plugin."""
    plain = Plugins.installed(disabled=["control"])
    for capability in (document(api.url, rest()), document(api.url, rest(), control(observability={"enabled": False}))):
        with_plugin = Host(capability, settings=Settings(environment={}))
        if capability["capability"]["exposes"][1:]:
            del capability["capability"]["exposes"][1]
        without = Host(capability, plugins=plain, settings=Settings(environment={}))
        for one, other in zip(with_plugin.plans[0].consumed, without.plans[0].consumed, strict=True):
            assert type(one) is type(other)
        with_wrapper, bare = (
            next(iter(host.plans[0].exposers[0].exposer.operations.values())) for host in (with_plugin, without)
        )
        assert shape(with_wrapper.call) == shape(bare.call)
        assert with_plugin.plans[0].exposers[0].middlewares == ()


def shape(call: Any) -> Any:
    """Return the nested functions of a call."""
    cells = [cell.cell_contents for cell in call.__closure__ or ()]
    return call.__qualname__, [shape(cell) for cell in cells if callable(cell) and hasattr(cell, "__closure__")]


async def test_builds_do_not_leak(api: Api) -> None:
    served = Host(document(api.url, rest(), control()), settings=Settings(environment={}))

    def telemetries() -> int:
        gc.collect()
        return sum(type(each).__name__ == "Telemetry" for each in gc.get_objects())

    before = telemetries()
    served.check()
    served.check()
    assert telemetries() == before


def test_invalid_document_is_reported() -> None:
    capability = document("", rest(), control(), consumes=[{"type": "http", "namespace": "api"}])
    with pytest.raises(ProblemsError, match="baseUri"):
        Host(capability, settings=Settings(environment={}))
