"""`/metrics` and `/traces`."""

from __future__ import annotations

from aiohttp import web

from adapter_host_control.responses import HEADERS, RequestRejectedError, json_response
from adapter_host_control.telemetry.provider import Telemetry


class TelemetryEndpoints:
    """Endpoints that serve metrics and traces."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._metrics = telemetry.metrics
        self._buffer = telemetry.buffer

    async def metrics(self, request: web.Request) -> web.Response:
        """Return all metrics in a Prometheus format."""
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={**HEADERS, "Content-Type": content_type})

    async def traces(self, request: web.Request) -> web.Response:
        """List the recent traces, newest first, filtered by `operation` and `status`."""
        operation, status = request.query.get("operation"), request.query.get("status", "").lower()
        matches = [
            trace.summary()
            for trace in self._buffer
            if operation in (None, trace.operation) and status in ("", trace.status)
        ]
        return json_response({"traces": matches, "bufferSize": self._buffer.size, "bufferUsed": len(self._buffer)})

    async def trace(self, request: web.Request) -> web.Response:
        """Return one trace with its spans."""
        trace = self._buffer.find(request.match_info["trace"])
        if trace is None:
            raise RequestRejectedError(404, "unknown trace; it may have been dropped")
        return json_response(trace.details())
