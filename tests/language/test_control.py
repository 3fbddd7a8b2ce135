"""The control exposer: endpoints, management and tracing."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from adapter_host import Host, Settings, StartError

from .conftest import Convert, Serve
from .served import API, Served, parsed


def control(keys: str = "", **more: Any) -> dict[str, Any]:
    """Return a document with an operation and a control exposer with more `keys`."""
    document: dict[str, Any] = parsed(f"""
naftiko: 1.0.0-alpha2
info: {{label: Ships, description: All of them}}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: {API}
      resources: [{{name: ships, path: /ships, operations: [{{name: find, method: GET}}]}}]
  exposes:
    - type: rest
      namespace: web
      port: 0
      resources: [{{path: /, name: root, operations: [{{method: GET, name: find, call: api.find}}]}}]
    - {{type: control, port: 0{keys and f", {keys}"}}}
""")
    document["capability"]["exposes"][1].update(more)
    return document


async def status(of: Served, request: str, **sent: Any) -> int:
    """Return the status of the control exposer's response."""
    return (await of.rest(request, of="control", **sent)).status


@pytest.mark.shows("ExposesControl", "type", "management", "observability")
@pytest.mark.shows("ControlManagementSpec", "health", "info", "reload", "validate", "logs")
@pytest.mark.shows("ControlLogsEndpointSpec", "level-control", "stream")
@pytest.mark.shows("ObservabilitySpec", "enabled", "metrics", "traces")
@pytest.mark.shows("ObservabilityMetricsSpec", "local")
@pytest.mark.shows("ObservabilityLocalEndpointSpec", "enabled")
@pytest.mark.shows("ObservabilityTracesSpec", "local")
@pytest.mark.shows("ObservabilityTracesLocalSpec", "enabled")
@pytest.mark.parametrize(
    ("request_line", "on", "off"),
    [
        ("GET /health/live", "", "management: {health: false}"),
        ("GET /status", "management: {info: true}", ""),
        ("POST /config/reload", "management: {reload: true}", ""),
        ("POST /config/validate", "management: {validate: true}", ""),
        ("GET /logs", "management: {logs: true}", "management: {logs: false}"),
        ("GET /logs/root", "management: {logs: {level-control: true}}", "management: {logs: {level-control: false}}"),
        ("GET /logs/stream?level=loud", "management: {logs: {stream: true}}", "management: {logs: {stream: false}}"),
        ("GET /metrics", "", "observability: {enabled: false}"),
        ("GET /metrics", "", "observability: {metrics: {local: {enabled: false}}}"),
        ("GET /traces", "", "observability: {enabled: false}"),
        ("GET /traces", "", "observability: {traces: {local: {enabled: false}}}"),
    ],
)
async def test_endpoints_follow_switches(serve: Serve, request_line: str, on: str, off: str) -> None:
    async with serve(control(on)) as served:
        assert await status(served, request_line) == (400 if "loud" in request_line else 200)
    async with serve(control(off)) as served:
        assert await status(served, request_line) == 404


@pytest.mark.shows("ExposesControl", "port", "address", "authentication")
async def test_address_and_authentication(convert: Convert, serve: Serve) -> None:
    with socket.socket() as used_port:
        used_port.bind(("127.0.0.1", 0))
        used_port.listen()
        port = used_port.getsockname()[1]
        with pytest.raises(StartError, match=str(port)):
            async with Host(convert(control(port=port)), settings=Settings(environment={})):
                pass
    async with Host(convert(control(address="127.0.0.2")), settings=Settings(environment={})) as host:
        url = host.status()[1].url
        assert url is not None
        assert url.startswith("http://127.0.0.2:")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/health/live") as response:
            assert response.status == 200
    async with serve(control(authentication={"type": "bearer", "token": "let-me-in"})) as served:
        assert await status(served, "GET /metrics") == 401
        assert await status(served, "GET /metrics", headers={"Authorization": "Bearer let-me-in"}) == 200


@pytest.mark.shows("ControlLogsEndpointSpec", "max-subscribers")
async def test_log_subscribers_are_limited(serve: Serve) -> None:
    for most in (1, 2):
        keys = f"management: {{logs: {{stream: true, max-subscribers: {most}}}}}"
        async with serve(control(keys)) as served, AsyncExitStack() as stack:
            url = f"{served.running.url('control')}/logs/stream"
            responses = [await stack.enter_async_context(served.session.get(url)) for _ in range(3)]
            assert [response.status for response in responses] == [200] * most + [503] * (3 - most)


@pytest.mark.shows("ObservabilityTracesSpec", "sampling", "propagation")
@pytest.mark.shows("ObservabilityTracesLocalSpec", "buffer-size")
async def test_requests_are_traced(serve: Serve) -> None:
    async def traced(traces: str) -> tuple[Any, set[str]]:
        keys = f"observability: {{traces: {traces}}}"
        async with serve(control(keys)) as served:
            for _ in range(11):
                headers = (await served.sent("GET /"))["headers"].keys()
            spans = (await served.rest("GET /traces", of="control")).data
        return (spans["bufferSize"], len(spans["traces"])), headers & {"traceparent", "x-b3-traceid"}

    assert await traced("{}") == ((100, 11), {"traceparent"})
    assert await traced("{local: {buffer-size: 10}}") == ((10, 10), {"traceparent"})
    assert await traced("{sampling: 0}") == ((100, 0), {"traceparent"})
    assert await traced("{propagation: b3}") == ((100, 11), {"x-b3-traceid"})
