"""Tests of the OTLP export to a receiver on a real socket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, ProblemsError, Settings
from adapter_host.testing import running

from .conftest import Api, control, document, rest
from .test_traces import get


class Collector:
    """An OTLP receiver that decodes its requests."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.services: set[str] = set()
        self.received = asyncio.Event()

    async def traces(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            self._record_service(resource.resource)
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.received.set()
        return web.Response(content_type="application/x-protobuf")

    async def receive_metrics(self, request: web.Request) -> web.Response:
        sent = ExportMetricsServiceRequest.FromString(await request.read())
        for resource in sent.resource_metrics:
            self._record_service(resource.resource)
            self.metrics |= {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
        return web.Response(content_type="application/x-protobuf")

    def _record_service(self, resource: Any) -> None:
        self.services |= {each.value.string_value for each in resource.attributes if each.key == "service.name"}


@asynccontextmanager
async def served_collector() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.traces)
    app.router.add_post("/v1/metrics", collector.receive_metrics)
    async with TestServer(app) as server:
        collector.url = f"http://127.0.0.1:{server.port}"
        yield collector


def otlp_control(endpoint: str, **more: Any) -> dict[str, Any]:
    return control(observability={"exporters": {"otlp": {"endpoint": endpoint}}, **more})


@pytest.mark.shows("ObservabilitySpec", "exporters")
@pytest.mark.shows("ObservabilityExportersSpec", "otlp")
@pytest.mark.shows("ObservabilityOtlpExporterSpec", "endpoint")
async def test_stop_exports_everything(session: aiohttp.ClientSession, api: Api) -> None:
    nothing_local = {"metrics": {"local": {"enabled": False}}, "traces": {"local": {"enabled": False}}}
    async with served_collector() as collector:
        async with running(document(api.url, rest(), otlp_control(collector.url, **nothing_local))) as served:
            assert await get(session, f"{served.url('shop')}/things") == 200
            for path in ("metrics", "traces"):
                assert await get(session, f"{served.url('control')}/{path}") == 404
        client, server = collector.spans
        assert (server.name, client.name) == ("rest.request", "http.client.GET")
        assert client.parent_span_id == server.span_id
        assert collector.services == {"naftiko-Shop"}
        (point,) = collector.metrics["naftiko.request.duration.seconds"].histogram.data_points
        assert point.count == 1
        ok = [each.as_int for each in collector.metrics["naftiko.request.total"].sum.data_points if each.as_int]
        assert ok == [1]


async def test_endpoint_from_a_bind(session: aiohttp.ClientSession, api: Api) -> None:
    async with served_collector() as collector:
        capability = document(api.url, rest(), otlp_control("{{env.COLLECTOR}}/"))
        capability["binds"] = [{"namespace": "env", "keys": {"COLLECTOR": "COLLECTOR"}}]
        async with running(capability, environment={"COLLECTOR": collector.url}) as served:
            assert await get(session, f"{served.url('shop')}/things") == 200
            assert await get(session, f"{served.url('control')}/metrics") == 200
        assert len(collector.spans) == 2


async def test_reload_changes_the_collector(session: aiohttp.ClientSession, api: Api) -> None:
    async with served_collector() as first, served_collector() as second:
        async with running(document(api.url, rest(), otlp_control(first.url))) as served:
            assert await get(session, f"{served.url('shop')}/things") == 200
            await served.host.reload(document(api.url, rest(), otlp_control(second.url)))
            assert await get(session, f"{served.url('shop')}/things") == 200
            await first.received.wait()
        assert (len(first.spans), len(second.spans)) == (2, 2)


async def test_host_restarts(session: aiohttp.ClientSession, api: Api) -> None:
    async with served_collector() as collector:
        host = Host(document(api.url, rest(), otlp_control(collector.url)), settings=Settings(environment={}))
        for times in (1, 2):
            async with host:
                url = next(each.url for each in host.status() if each.namespace == "shop")
                assert await get(session, f"{url}/things") == 200
            assert len(collector.spans) == 2 * times


async def test_unreachable_collector_does_not_fail_requests(session: aiohttp.ClientSession, api: Api) -> None:
    async with served_collector() as collector:
        url = collector.url
    async with running(document(api.url, rest(), otlp_control(url))) as served:
        assert await get(session, f"{served.url('shop')}/things") == 200
    assert api.headers


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://localhost:4317", "http://"])
def test_invalid_endpoints(endpoint: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(document("http://127.0.0.1:9", otlp_control(endpoint)), settings=Settings(environment={}))
    (problem,) = caught.value.problems
    assert problem.code == "otlp-endpoint"
    assert problem.message == snapshot(name="message")


def test_grpc_port_is_a_warning(snapshot: SnapshotAssertion) -> None:
    capability = document("http://127.0.0.1:9", otlp_control("http://localhost:4317"))
    (warning,) = Host(capability, settings=Settings(environment={})).warnings
    assert warning.code == "otlp-endpoint"
    assert warning.message == snapshot


def test_missing_otlp_package(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(ProblemsError) as caught:
        Host(document("http://127.0.0.1:9", otlp_control("http://localhost:4318")), settings=Settings(environment={}))
    (problem,) = caught.value.problems
    assert problem.code == "missing-package"
    assert problem.message == snapshot
