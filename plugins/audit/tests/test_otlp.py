"""Records over OTLP, to a receiver on a real socket that parses them."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from adapter_host import AuditService, Host, PluginError, Plugins, Settings, UnavailableError
from adapter_host.testing import FakePlugin, Running
from adapter_host_audit.otlp import OtlpSink

from .test_records import DOCUMENT, HEADERS, KEY

CALL = {"time": "2026-11-30T19:14:58.209+00:00", "decision": "allowed", "outcome": 200, "operation": "get"}


class Collector:
    """An OTLP receiver; `port` is fixed, so that it can be away for a time. It responds with `status`."""

    def __init__(self) -> None:
        self.port = unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.status = 200
        self.requests = 0
        self.records: list[Any] = []
        self.services: set[str] = set()
        self.changed = asyncio.Condition()

    async def logs(self, request: web.Request) -> web.Response:
        sent = ExportLogsServiceRequest.FromString(await request.read())
        async with self.changed:
            self.requests += 1
            if self.status == 200:
                for resource in sent.resource_logs:
                    self.services |= {
                        each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
                    }
                    self.records += [record for scope in resource.scope_logs for record in scope.log_records]
            self.changed.notify_all()
        return web.Response(status=self.status, content_type="application/x-protobuf")

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/v1/logs", self.logs)
        async with TestServer(app, port=self.port):
            yield

    async def has(self, *, records: int = 0, requests: int = 0) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: len(self.records) >= records and self.requests >= requests)

    @property
    def received(self) -> list[tuple[str, dict[str, Any]]]:
        """The names of the events, and their attributes."""
        return [
            (
                record.event_name,
                {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in record.attributes},
            )
            for record in self.records
        ]


@asynccontextmanager
async def serving(collector: Collector, **settings: Any) -> AsyncIterator[Running]:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    audit = {"audit": {"otlp": collector.url, **settings}}
    async with Host(DOCUMENT, plugins=plugins, settings=Settings(environment={}, plugins=audit)) as host:
        yield Running(host)


@asynccontextmanager
async def opened(sink: OtlpSink) -> AsyncIterator[OtlpSink]:
    sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def test_calls_and_refusals(tmp_path: Path) -> None:
    collector, file = Collector(), tmp_path / "audit.jsonl"
    async with collector.served():
        async with serving(collector, file=str(file)) as served, aiohttp.ClientSession() as session:
            for headers in (HEADERS, {}):
                async with session.get(f"{served.url('rest')}/things/7", headers=headers) as response:
                    await response.read()
        # The last records are sent when the host stops.
        assert collector.services == {"adapter-host"}
        (call, called), (refusal, refused) = collector.received
    lines = file.read_text().splitlines()
    assert [record.body.string_value for record in collector.records] == lines
    (record, _) = map(json.loads, lines)
    assert called.pop("adapter_host.audit.duration_ms") == record["duration_ms"]
    assert (call, called) == (
        "adapter_host.audit.call",
        {
            "client.address": "127.0.0.1",
            "http.response.status_code": 200,
            "adapter_host.audit.request_id": record["request_id"],
            "adapter_host.audit.capability": "Shop",
            "adapter_host.audit.exposer": "rest",
            "adapter_host.audit.exposer_type": "rest",
            "adapter_host.audit.transport": "http",
            "adapter_host.audit.authentication": KEY["type"],
            "adapter_host.audit.operation": "get",
            "adapter_host.audit.decision": "allowed",
        },
    )
    assert refusal == "adapter_host.audit.refusal"
    assert (refused["http.request.method"], refused["http.route"], refused["http.response.status_code"]) == (
        "GET",
        "/things/{id}",
        401,
    )
    assert [record.severity_text for record in collector.records] == ["INFO", "WARN"]


async def test_collector_that_is_away_receives_everything_later(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()
    async with opened(OtlpSink(collector.url)) as sink:
        async with collector.served():
            collector.status = 400
            assert sink.write(CALL)
            assert sink.write(CALL)
            await collector.has(requests=1)
        # It is away now.
        assert sink.write(CALL)
        collector.status = 200
        async with collector.served():
            await collector.has(records=3)
    assert len(collector.records) == 3
    logged = [record.getMessage() for record in caplog.records if record.name == "adapter_host.audit"]
    assert logged == [
        "the collector of the audit log accepts no records",
        "the collector of the audit log accepts records again",
    ]


async def test_records_without_room_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()
    async with opened(OtlpSink(collector.url, max_queued=2)) as sink:
        assert [sink.write(CALL) for _ in range(5)] == [True, True, False, False, False]
        assert not sink.is_available()
        async with collector.served():
            await collector.has(records=2)
            while not sink.is_available():  # noqa: ASYNC110 # the response is on its way
                await asyncio.sleep(0)
            assert sink.write(CALL)
            await collector.has(records=4)
    assert [name.rpartition(".")[2] for name, _ in collector.received] == ["call", "call", "lost", "call"]
    assert collector.received[2][1] == {"adapter_host.audit.lost": 3}
    assert "the audit log is sent again; 3 records were lost" in caplog.text


@pytest.mark.parametrize("when", ["refuse", "continue"])
async def test_calls_while_too_many_records_wait(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OtlpSink.__init__, "__defaults__", (1, 1024))
    collector = Collector()
    async with serving(collector, whenUnavailable=when) as served:
        await served.host.call("rest.get", {"id": 1})
        calls = len(served.fake("api").calls)
        if when == "refuse":
            with pytest.raises(UnavailableError):
                await served.host.call("rest.get", {"id": 2})
            assert len(served.fake("api").calls) == calls
        else:
            await served.host.call("rest.get", {"id": 2})


async def test_records_that_are_left_at_the_stop_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "adapter_host.audit")
    async with opened(OtlpSink(Collector().url)) as sink:
        assert sink.write(CALL)
    assert "1 audit records were not sent to the collector" in caplog.text


async def test_start_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(PluginError, match=r"pip install 'adapter-host-audit\[otlp\]'"):
        async with serving(Collector()):
            pass


async def test_events_of_other_plugins() -> None:
    collector = Collector()
    async with collector.served(), serving(collector) as served:
        (service,) = served.host.services.find(AuditService)
        service.record("decision", {"decision": "approved"})
        await collector.has(records=1)
        assert not service.newest().is_complete
    ((name, attributes),) = collector.received
    assert name == "adapter_host.audit.event"
    assert attributes["adapter_host.audit.event"] == "decision"
    assert attributes["adapter_host.audit.decision"] == "approved"
