"""The control exposer: endpoints of its own, those that the document switches on."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from adapter_host import HttpExposer, Operations, Provision, curl

from . import health, levels, scripting
from .answers import as_problems
from .config import ControlConfig, OtlpConfig
from .configuration import Configuration
from .guard import check_exposure
from .stream import LogStream

if TYPE_CHECKING:
    from .telemetry import Telemetry

_GRPC_PORT: Final = 4317


class ControlExposer(HttpExposer[ControlConfig]):
    """Shows a host to those who run it, and lets them steer it."""

    config_class = ControlConfig
    watches = True

    def __init__(self, config: ControlConfig, operations: Operations, provision: Provision) -> None:
        super().__init__(config, operations, provision)
        check_exposure(config, provision)
        self._endpoint = self._otlp_endpoint(config.observability.otlp)
        self._telemetry = self._find_telemetry()
        self._streams: list[LogStream] = []

    def _find_telemetry(self) -> Telemetry | None:
        observability = self.config.observability
        if not (observability.measures or observability.traces_calls):
            return None
        # Imported here, as the SDK takes a moment: a document that wants none of it does without.
        from .telemetry import telemetry_of

        return telemetry_of(self.provision, observability)

    def _otlp_endpoint(self, otlp: OtlpConfig | None) -> str | None:
        if otlp is None:
            return None
        if not _sends():
            message = "sending over OTLP needs more packages (pip install 'adapter-host-control[otlp]')"
            self.provision.problem(message, otlp, code="missing-package")
        endpoint = self.provision.secret(otlp.endpoint, otlp, "endpoint").constant
        if endpoint is None:
            return None
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = "an OTLP endpoint is an http or https URL, to which /v1/traces and /v1/metrics are added"
            self.provision.problem(message, otlp, "endpoint", code="otlp-endpoint")
        elif parts.port == _GRPC_PORT:
            message = f"{_GRPC_PORT} is the port of OTLP over gRPC, and this is sent over HTTP (4318, as a rule)"
            self.provision.warn(message, otlp, "endpoint", code="otlp-endpoint")
        return endpoint

    def build_app(self) -> web.Application:
        """The endpoints that are switched on."""
        app = web.Application(middlewares=[as_problems])
        self._add_management(app.router)
        self._add_logs(app.router)
        self._add_observation(app.router)
        return app

    def _add_management(self, router: web.UrlDispatcher) -> None:
        management, declaration = self.config.management, self.provision.declaration
        configuration = Configuration(declaration)
        if management.health:
            router.add_get("/health/live", health.live)
            router.add_get("/health/ready", health.ready)
        if management.info:
            router.add_get("/status", health.Status(declaration, self.config).get)
            router.add_get("/config", configuration.get)
        if management.validate_:
            router.add_post("/config/validate", configuration.validate)
        if management.reload:
            router.add_post("/config/reload", configuration.reload)
        if management.scripting is not None:
            router.add_get("/scripting", scripting.get)
            router.add_put("/scripting", scripting.put)

    def _add_logs(self, router: web.UrlDispatcher) -> None:
        logs = self.config.management.logs
        if logs is None:
            return
        if logs.stream:
            stream = LogStream(logs.max_subscribers)
            self._streams.append(stream)
            router.add_get("/logs/stream", stream.get, allow_head=False)
        if logs.level_control:
            router.add_get("/logs", levels.get_all)
            router.add_get("/logs/{logger}", levels.get)
            router.add_put("/logs/{logger}", levels.put)

    def _add_observation(self, router: web.UrlDispatcher) -> None:
        if self._telemetry is None:
            return
        from .observation import Observation

        observation, observability = Observation(self._telemetry), self.config.observability
        if observability.shows_metrics:
            router.add_get("/metrics", observation.metrics)
        if observability.shows_traces:
            router.add_get("/traces", observation.traces)
            router.add_get("/traces/{trace}", observation.trace)

    def usage(self, url: str) -> str | None:
        """Curl lines for what there is to see."""
        there = {
            "/health/ready": self.config.management.health,
            "/status": self.config.management.info,
            "/metrics": self.config.observability.shows_metrics,
            "/traces": self.config.observability.shows_traces,
        }
        lines = [curl(f"{url}{path}", self.config.authentication) for path, shown in there.items() if shown]
        return "\n".join(lines) or None

    async def start(self) -> None:
        """Begin to send what is measured and traced on, where the document says so."""
        if self._telemetry is not None:
            await self._telemetry.open(self._endpoint)

    async def drain(self) -> None:
        """End the streams of the log; everything else goes on."""
        for stream in self._streams:
            stream.end()

    async def stop(self) -> None:
        """Send what is left on."""
        await self.drain()
        if self._telemetry is not None:
            await self._telemetry.close()


def _sends() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
