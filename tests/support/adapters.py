"""Adapters for tests: a minimal exposer, and adapters that record events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from adapter_host import (
    BuildContext,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Exposer,
    ExposerConfig,
    HttpExposer,
    HttpExposerConfig,
    OperationError,
    Operations,
    OperationSpec,
    Plugins,
    RegisterConsumer,
    RegisterExposer,
    error_problem,
    hookimpl,
)
from adapter_host.testing import FakePlugin


class PlainConfig(HttpExposerConfig):
    """`type: plain`: operations in a list."""

    operations: tuple[OperationSpec, ...] = ()


class PlainExposer(HttpExposer[PlainConfig]):
    """Serves `POST /NAME` with the arguments as a JSON object."""

    config_class = PlainConfig

    def build_app(self) -> web.Application:
        app = web.Application()
        self.by_name = {operation.name: operation for operation in self.operations.values()}
        app.router.add_post("/{name}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            result = await self.by_name[request.match_info["name"]].call(orjson.loads(body) if body else {})
        except OperationError as error:
            return error_problem(error)
        return web.Response(status=result.status, body=result.body, content_type=result.media_type)


class PlainPlugin:
    """The plugin of `type: plain`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("plain", PlainExposer)


def plain_plugins(**more: object) -> Plugins:
    """Return plugins with `type: fake` consumers, `type: plain` exposers, and more plugins by name."""
    return Plugins({"fake": FakePlugin(), "plain": PlainPlugin(), **more})


class Recorder:
    """A plugin with adapters of `type: noted`; it records `events` and raises for those in `fails`.

    An exposer of `type: noted-exclusive` is exclusive.
    """

    def __init__(self) -> None:
        self.events: list[str] = []
        self.fails: set[str] = set()

    def note(self, event: str) -> None:
        """Record an event; raise `OSError` if it is in `fails`."""
        self.events.append(event)
        if event in self.fails:
            raise OSError(f"{event} failed")

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        recorder = self

        class NotedConsumer(Consumer[ConsumerConfig]):
            def __init__(self, config: ConsumerConfig, context: BuildContext) -> None:
                super().__init__(config, context)
                recorder.note(f"make consumer {config.namespace}")

            def operations(self) -> Sequence[ConsumedOperation]:
                return ()

            async def start(self) -> None:
                recorder.note(f"start consumer {self.config.namespace}")

            async def stop(self) -> None:
                recorder.note(f"stop consumer {self.config.namespace}")

        register("noted", NotedConsumer)

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        recorder = self

        class NotedExposer(Exposer[ExposerConfig]):
            def __init__(self, config: ExposerConfig, operations: Operations, context: BuildContext) -> None:
                super().__init__(config, operations, context)
                recorder.note(f"make exposer {config.namespace}")

            async def start(self) -> None:
                recorder.note(f"start exposer {self.config.namespace}")

            async def drain(self) -> None:
                recorder.note(f"drain exposer {self.config.namespace}")

            async def stop(self) -> None:
                recorder.note(f"stop exposer {self.config.namespace}")

        class ExclusiveExposer(NotedExposer):
            exclusive = True

        register("noted", NotedExposer)
        register("noted-exclusive", ExclusiveExposer)


def document(
    *exposed: dict[str, Any], consumes: Sequence[dict[str, Any]] | None = None, **capability: Any
) -> dict[str, Any]:
    """Return a document with these exposers; by default it consumes `api.get` of a fake API."""
    api = {"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {"consumes": [api] if consumes is None else consumes, "exposes": list(exposed), **capability},
    }


def plain(*operations: dict[str, Any], namespace: str = "front", port: int = 0, **more: Any) -> dict[str, Any]:
    """Return a plain exposer; by default with one operation `get` that calls `api.get`."""
    return {
        "type": "plain",
        "namespace": namespace,
        "port": port,
        "operations": list(operations) or [{"name": "get", "call": "api.get"}],
        **more,
    }
