"""The control exposer: what a document asks of it, and when it measures and sends."""

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
    """Shows a host to those who run it, and lets them steer it."""

    config_class = ControlConfig
    monitors_host = True

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
        # Imported here, as the SDK takes a moment: a document that wants none of it does without.
        from .telemetry.provider import find_telemetry

        return find_telemetry(self.context, observability)

    def _read_collector_url(self, otlp: OtlpConfig | None) -> str | None:
        if otlp is None:
            return None
        if not _is_otlp_installed():
            message = "sending over OTLP needs more packages (pip install 'adapter-host-control[otlp]')"
            self.context.problem(message, otlp, code="missing-package")
        collector_url = self.context.secret(otlp.endpoint, otlp, "endpoint").constant
        if collector_url is None:
            return None
        parts = urlsplit(collector_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = "an OTLP endpoint is an http or https URL, to which /v1/traces and /v1/metrics are added"
            self.context.problem(message, otlp, "endpoint", code="otlp-endpoint")
        elif parts.port == _GRPC_PORT:
            message = f"{_GRPC_PORT} is the port of OTLP over gRPC, and this is sent over HTTP (4318, as a rule)"
            self.context.warn(message, otlp, "endpoint", code="otlp-endpoint")
        return collector_url

    def build_app(self) -> web.Application:
        """The endpoints that are switched on."""
        # Imported here: who validates a document needs no server.
        from .endpoints.routes import Endpoints

        endpoints = Endpoints(self.config, self.context.loaded, self._telemetry)
        self._streams += endpoints.streams
        return endpoints.app

    def usage(self, url: str) -> str | None:
        """Curl lines for what there is to see."""
        endpoints = {
            "/health/ready": self.config.management.health,
            "/status": self.config.management.info,
            "/metrics": self.config.observability.serves_metrics,
            "/traces": self.config.observability.serves_traces,
        }
        lines = [curl(f"{url}{path}", self.config.authentication) for path, enabled in endpoints.items() if enabled]
        return "\n".join(lines) or None

    async def start(self) -> None:
        """Begin to send what is measured and traced on, where the document says so."""
        if self._telemetry is not None:
            await self._telemetry.open(self._collector_url)

    async def drain(self) -> None:
        """End the streams of the log; everything else goes on."""
        for stream in self._streams:
            stream.end()

    async def stop(self) -> None:
        """Send what is left on."""
        await self.drain()
        if self._telemetry is not None:
            await self._telemetry.close()


def _is_otlp_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
