"""Routes of the enabled endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from adapter_host import BuildContext
from adapter_host_control.config import ControlConfig
from adapter_host_control.endpoints import health, log_levels
from adapter_host_control.guard import AUTHENTICATED, CONTEXT
from adapter_host_control.responses import problem_middleware

from .config import ConfigEndpoints
from .log_stream import LogStream
from .scripting import ScriptingEndpoint

if TYPE_CHECKING:
    from adapter_host_control.telemetry.provider import Telemetry


class Endpoints:
    """The application of the enabled endpoints; `streams` must be ended on drain."""

    def __init__(self, config: ControlConfig, context: BuildContext, telemetry: Telemetry | None) -> None:
        self.app = web.Application(middlewares=[problem_middleware])
        self.app[AUTHENTICATED] = config.authentication is not None
        self.app[CONTEXT] = context
        self.streams: list[LogStream] = []
        self._config = config
        self._add_management(context)
        self._add_logs()
        if telemetry is not None:
            self._add_telemetry(telemetry)

    def _add_management(self, context: BuildContext) -> None:
        management, router = self._config.management, self.app.router
        configuration = ConfigEndpoints(context.loaded)
        if management.health:
            router.add_get("/health/live", health.live)
            router.add_get("/health/ready", health.ready)
        if management.info:
            router.add_get("/status", health.StatusEndpoint(context.loaded, self._config).get)
            router.add_get("/config", configuration.get)
        if management.validate_:
            router.add_post("/config/validate", configuration.validate)
        if management.reload:
            router.add_post("/config/reload", configuration.reload)
        if management.scripting is not None:
            scripting = ScriptingEndpoint(context)
            router.add_get("/scripting", scripting.get)
            router.add_put("/scripting", scripting.put)

    def _add_logs(self) -> None:
        logs, router = self._config.management.logs, self.app.router
        if logs is None:
            return
        if logs.stream:
            stream = LogStream(logs.max_subscribers)
            self.streams.append(stream)
            router.add_get("/logs/stream", stream.get, allow_head=False)
        if logs.level_control:
            router.add_get("/logs", log_levels.get_all)
            router.add_get("/logs/{logger}", log_levels.get)
            router.add_put("/logs/{logger}", log_levels.put)

    def _add_telemetry(self, telemetry: Telemetry) -> None:
        # Imported here because the SDK is slow to import and not always needed.
        from .metrics_and_traces import TelemetryEndpoints

        endpoints, observability, router = TelemetryEndpoints(telemetry), self._config.observability, self.app.router
        if observability.serves_metrics:
            router.add_get("/metrics", endpoints.metrics)
        if observability.serves_traces:
            router.add_get("/traces", endpoints.traces)
            router.add_get("/traces/{trace}", endpoints.trace)
