"""The endpoints of a control exposer, those that its document switches on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from adapter_host import LoadedCapability
from adapter_host_control.config import ControlConfig
from adapter_host_control.endpoints import health, scripting
from adapter_host_control.endpoints import log_levels as levels
from adapter_host_control.responses import as_problems

from .config import Configuration
from .log_stream import LogStream

if TYPE_CHECKING:
    from adapter_host_control.telemetry.provider import Telemetry


class Endpoints:
    """An application of them; `streams` are those of the log, to be ended when it is drained."""

    def __init__(self, config: ControlConfig, loaded: LoadedCapability, telemetry: Telemetry | None) -> None:
        self.app = web.Application(middlewares=[as_problems])
        self.streams: list[LogStream] = []
        self._config = config
        self._add_management(loaded)
        self._add_logs()
        if telemetry is not None:
            self._add_observation(telemetry)

    def _add_management(self, loaded: LoadedCapability) -> None:
        management, router = self._config.management, self.app.router
        configuration = Configuration(loaded)
        if management.health:
            router.add_get("/health/live", health.live)
            router.add_get("/health/ready", health.ready)
        if management.info:
            router.add_get("/status", health.Status(loaded, self._config).get)
            router.add_get("/config", configuration.get)
        if management.validate_:
            router.add_post("/config/validate", configuration.validate)
        if management.reload:
            router.add_post("/config/reload", configuration.reload)
        if management.scripting is not None:
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
            router.add_get("/logs", levels.get_all)
            router.add_get("/logs/{logger}", levels.get)
            router.add_put("/logs/{logger}", levels.put)

    def _add_observation(self, telemetry: Telemetry) -> None:
        # The SDK takes a moment: a document that wants none of this does without.
        from .metrics_and_traces import Observation

        observation, observability, router = Observation(telemetry), self._config.observability, self.app.router
        if observability.shows_metrics:
            router.add_get("/metrics", observation.metrics)
        if observability.shows_traces:
            router.add_get("/traces", observation.traces)
            router.add_get("/traces/{trace}", observation.trace)
