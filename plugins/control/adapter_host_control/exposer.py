"""The control exposer: validates its settings, and starts and stops exports."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from adapter_host import BuildContext, HttpExposer, Operations, curl

from .address_check import check_address
from .config import ControlConfig, OtlpConfig

if TYPE_CHECKING:
    from aiohttp import web

    from .endpoints.log_stream import LogStream
    from .telemetry.provider import Telemetry

_GRPC_PORT: Final = 4317


class ControlExposer(HttpExposer[ControlConfig]):
    """Serves the endpoints for monitoring and managing the host."""

    config_class = ControlConfig
    monitors_host = True
    decodes_bodies = True

    def __init__(self, config: ControlConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        check_address(config, context)
        self._collector_url = self._read_collector_url(config.observability.otlp)
        self._telemetry = self._read_telemetry()
        self._streams: list[LogStream] = []

    def _read_telemetry(self) -> Telemetry | None:
        observability = self.config.observability
        if not (observability.collects_metrics or observability.collects_traces):
            return None
        # Imported here because the SDK is slow to import and not always needed.
        from .telemetry.provider import find_telemetry

        return find_telemetry(self.context, observability)

    def _read_collector_url(self, otlp: OtlpConfig | None) -> str | None:
        if otlp is None:
            return None
        if not _is_otlp_installed():
            message = "OTLP export is not installed; pip install 'adapter-host-control[otlp]'"
            self.context.problem(message, otlp, code="missing-package")
        template = self.context.url(otlp.endpoint, otlp, "endpoint")
        if template.constant is None or not self.context.has_value(template):
            return None
        host, port = _host_and_port(template.constant)
        if not host:
            message = "invalid OTLP endpoint; use an http or https URL without /v1/traces and /v1/metrics"
            self.context.problem(message, otlp, "endpoint", code="otlp-endpoint")
        elif port == _GRPC_PORT:
            message = f"{_GRPC_PORT} is the port of OTLP over gRPC; use that of OTLP over HTTP (usually 4318)"
            self.context.warn(message, otlp, "endpoint", code="otlp-endpoint")
        return template.constant

    def build_app(self) -> web.Application:
        """Return the application of the enabled endpoints."""
        # Imported here because validation does not need a server.
        from .endpoints.routes import Endpoints

        endpoints = Endpoints(self.config, self.context, self._telemetry)
        self._streams += endpoints.streams
        return endpoints.app

    def usage(self, url: str) -> str | None:
        """Return curl commands for the enabled read-only endpoints."""
        endpoints = {
            "/health/ready": self.config.management.health,
            "/status": self.config.management.info,
            "/metrics": self.config.observability.serves_metrics,
            "/traces": self.config.observability.serves_traces,
        }
        lines = [curl(f"{url}{path}", self.config.authentication) for path, enabled in endpoints.items() if enabled]
        return "\n".join(lines) or None

    async def start(self) -> None:
        """Start exporting telemetry, if configured."""
        if self._telemetry is not None:
            await self._telemetry.open(self._collector_url)

    async def drain(self) -> None:
        """End the log streams; all other endpoints stay available."""
        for stream in self._streams:
            stream.end()

    async def stop(self) -> None:
        """Export the remaining telemetry."""
        await self.drain()
        if self._telemetry is not None:
            await self._telemetry.close()


def _host_and_port(url: str) -> tuple[str, int | None]:
    """Return the host, empty if it is not an http or https URL, and the port of a URL."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else "", parts.port
    except ValueError:
        return "", None


def _is_otlp_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
