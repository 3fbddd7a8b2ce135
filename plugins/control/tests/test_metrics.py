"""Tests of metrics in the Prometheus format."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from mcp import Client
from prometheus_client.parser import text_string_to_metric_families

from adapter_host import Result, UpstreamTimeoutError
from adapter_host.testing import Running, running

from .conftest import Api, control, document, mcp, rest
from .test_traces import STEPS, get, spans, traces


async def samples(session: aiohttp.ClientSession, served: Running) -> dict[tuple[str, ...], float]:
    """Scrape the metrics; return values by name and sorted labels, without zeros."""
    async with session.get(f"{served.url('control')}/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = list(text_string_to_metric_families(await response.text()))
    assert all(family.documentation for family in families)
    values = [sample for family in families for sample in family.samples]
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for sample in values
        if sample.value and not sample.name.endswith(("_bucket", "_sum", "_created")) and sample.name != "target_info"
    }


REST = ("naftiko_adapter_type=rest", "naftiko_operation_id=/things GET")
CLIENT = ("naftiko_namespace=api", "server_address=127.0.0.1")


async def test_requests(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(), mcp(), control())) as served:
        shop = served.url("shop")
        for status in (200, 500):
            api.status = status
            assert await get(session, f"{shop}/things") == status
        assert await get(session, f"{shop}/nothing") == 404
        async with Client(served.url("tools"), mode="auto") as client:
            assert (await client.call_tool("list-things", {})).is_error
        values = await samples(session, served)
    tool = ("naftiko_adapter_type=mcp", "naftiko_operation_id=list-things")
    no_operation = ("naftiko_adapter_type=rest", "naftiko_operation_id=-")
    method = "http_request_method=GET"
    assert values == {
        ("naftiko_capability_active", "naftiko_capability=Shop"): 1,
        ("naftiko_request_total", *REST, "status=ok"): 1,
        ("naftiko_request_total", *REST, "status=error"): 1,
        ("naftiko_request_total", *no_operation, "status=error"): 1,
        ("naftiko_request_total", *tool, "status=error"): 1,
        ("naftiko_request_duration_seconds_count", *REST, "status=ok"): 1,
        ("naftiko_request_duration_seconds_count", *REST, "status=error"): 1,
        ("naftiko_request_duration_seconds_count", *no_operation, "status=error"): 1,
        ("naftiko_request_duration_seconds_count", *tool, "status=error"): 1,
        ("naftiko_request_errors_total", "error_type=500", *REST): 1,
        ("naftiko_request_errors_total", "error_type=404", *no_operation): 1,
        ("naftiko_request_errors_total", "error_type=500", *tool): 1,
        ("naftiko_http_client_total", method, "http_response_status_code=200", *CLIENT): 1,
        ("naftiko_http_client_total", method, "http_response_status_code=500", *CLIENT): 2,
        ("naftiko_http_client_duration_seconds_count", method, "http_response_status_code=200", *CLIENT): 1,
        ("naftiko_http_client_duration_seconds_count", method, "http_response_status_code=500", *CLIENT): 2,
    }


async def test_unreachable_upstream(session: aiohttp.ClientSession) -> None:
    async with running(document("http://127.0.0.1:9", rest(), control())) as served:
        assert await get(session, f"{served.url('shop')}/things") == 502
        values = await samples(session, served)
    assert values[("naftiko_http_client_total", "error_type=transport", "http_request_method=GET", *CLIENT)] == 1
    assert values[("naftiko_request_errors_total", "error_type=UpstreamUnreachableError", *REST)] == 1


async def test_streams_are_measured_to_their_end(session: aiohttp.ClientSession) -> None:
    """A stream that fails after the status has been sent is an error."""
    fails = False

    async def events() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        if fails:
            raise UpstreamTimeoutError("no event in time")

    api = {"type": "fake", "namespace": "api", "operations": [{"name": "list"}]}
    async with running({**document(""), "capability": {"consumes": [api], "exposes": [rest(), control()]}}) as served:
        served.fake("api").responses["list"] = lambda _: Result(stream=events(), media_type="text/event-stream")
        assert await get(session, f"{served.url('shop')}/things") == 200
        await served.host.call("shop.list-things")
        fails = True
        async with session.get(f"{served.url('shop')}/things") as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        with pytest.raises(UpstreamTimeoutError):
            await served.host.call("shop.list-things")
        values = await samples(session, served)
    assert values[("naftiko_request_total", *REST, "status=ok")] == 2
    assert values[("naftiko_request_total", *REST, "status=error")] == 2
    assert values[("naftiko_request_errors_total", "error_type=UpstreamTimeoutError", *REST)] == 2


async def test_steps(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(STEPS), control())) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
        api.status = 500
        assert await get(session, f"{served.url('shop')}/things") == 500
        values = await samples(session, served)
    steps = {key[1:]: value for key, value in values.items() if key[0] == "naftiko_step_duration_seconds_count"}
    assert steps == {
        ("status=ok", "step_type=call"): 1,
        ("status=error", "step_type=call"): 1,
        ("status=ok", "step_type=lookup"): 1,
    }


async def test_hosts_in_one_process_have_separate_metrics(session: aiohttp.ClientSession, api: Api) -> None:
    capability = document(api.url, rest(), control())
    async with running(capability) as one, running(capability) as other:
        assert await get(session, f"{one.url('shop')}/things") == 200
        assert ("naftiko_request_total", *REST, "status=ok") in await samples(session, one)
        assert ("naftiko_request_total", *REST, "status=ok") not in await samples(session, other)


async def test_metrics_without_traces(session: aiohttp.ClientSession, api: Api) -> None:
    observability = {"traces": {"local": {"enabled": False}}}
    async with running(document(api.url, rest(), control(observability=observability))) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
        assert (await samples(session, served))[("naftiko_request_total", *REST, "status=ok")] == 1
    assert "traceparent" not in api.headers[0]


async def test_open_metrics(session: aiohttp.ClientSession, api: Api) -> None:
    async with running(document(api.url, rest(), control())) as served:
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with session.get(f"{served.url('control')}/metrics", headers=accept) as response:
            assert response.headers["Content-Type"].startswith("application/openmetrics-text")
            assert (await response.text()).endswith("# EOF\n")


async def test_ikanos_metric_names(session: aiohttp.ClientSession, api: Api) -> None:
    capability = document(api.url, rest({"method": "GET", "ref": "store.list"}), control())
    capability["capability"]["aggregates"] = [{"namespace": "store", "flows": {"list": {"call": "api.list"}}}]
    capability["ikanos"], capability["info"] = "1.0.0-beta5", {"display": "Shop"}
    del capability["naftiko"]
    async with running(capability) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
        values = await samples(session, served)
        (trace,) = await traces(session, served)
        names = [span["name"] for span in await spans(session, served, trace["traceId"])]
    operation = ("ikanos_adapter_type=rest", "ikanos_operation_id=/things GET", "status=ok")
    assert values[("ikanos_request_total", *operation)] == 1
    assert values[("ikanos_capability_active", "ikanos_capability=Shop")] == 1
    assert not [key for key in values if "naftiko" in str(key)]
    assert names == ["rest.request", "aggregate.flow", "http.client.GET"]
    assert trace["operation"] == "/things GET"
