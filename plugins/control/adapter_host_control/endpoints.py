"""The endpoints of a control exposer: what is needed once it is served, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from adapter_host import Declaration

from . import health, levels, scripting
from .answers import as_problems
from .config import ControlConfig
from .configuration import Configuration
from .stream import LogStream

if TYPE_CHECKING:
    from .telemetry import Telemetry


class Endpoints:
    """Puts together what a document switches on."""

    def __init__(self, config: ControlConfig, declaration: Declaration, telemetry: Telemetry | None) -> None:
        self._config = config
        self._declaration = declaration
        self._telemetry = telemetry
        self._streams: list[LogStream] = []

    def end_streams(self) -> None:
        """End the streams of the log."""
        for stream in self._streams:
            stream.end()

    def app(self) -> web.Application:
        """An application of those that are switched on."""
        app = web.Application(middlewares=[as_problems])
        self._add_management(app.router)
        self._add_logs(app.router)
        self._add_observation(app.router)
        return app

    def _add_management(self, router: web.UrlDispatcher) -> None:
        management, declaration = self._config.management, self._declaration
        configuration = Configuration(declaration)
        if management.health:
            router.add_get("/health/live", health.live)
            router.add_get("/health/ready", health.ready)
        if management.info:
            router.add_get("/status", health.Status(declaration, self._config).get)
            router.add_get("/config", configuration.get)
        if management.validate_:
            router.add_post("/config/validate", configuration.validate)
        if management.reload:
            router.add_post("/config/reload", configuration.reload)
        if management.scripting is not None:
            router.add_get("/scripting", scripting.get)
            router.add_put("/scripting", scripting.put)

    def _add_logs(self, router: web.UrlDispatcher) -> None:
        logs = self._config.management.logs
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

        observation, observability = Observation(self._telemetry), self._config.observability
        if observability.shows_metrics:
            router.add_get("/metrics", observation.metrics)
        if observability.shows_traces:
            router.add_get("/traces", observation.traces)
            router.add_get("/traces/{trace}", observation.trace)
