"""A plugin that records the callers and the ends of calls, and an exposer with its own listener."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
from pydantic import Field

from adapter_host import (
    Arguments,
    BuildContext,
    Call,
    CallContext,
    ConsumedCall,
    ConsumedOperation,
    ConsumerConfig,
    Exposer,
    ExposerConfig,
    Operation,
    OperationError,
    Operations,
    OperationSpec,
    Principal,
    RegisterExposer,
    Result,
    current_call,
    hookimpl,
)

KEY: Final = "k3y"
AUTHENTICATION: Final = {"type": "apikey", "in": "header", "key": "X-Key", "value": KEY}
PEER: Final = "127.0.0.1"


class Audit:
    """Records who called an operation and its consumed operation, and how the streams of results ended."""

    def __init__(self) -> None:
        self.calls: list[CallContext] = []
        self.consumed: list[CallContext] = []
        self.ends: list[BaseException | None] = []
        self.ended = asyncio.Event()

    @hookimpl
    def operation_wrapper(self, operation: Operation, context: BuildContext) -> Callable[[Call], Call]:
        def wrap(call: Call) -> Call:
            async def recorded(arguments: Arguments) -> Result:
                self.calls.append(current_call())
                result = await call(arguments)
                result.on_end(self._end)
                return result

            return recorded

        return wrap

    @hookimpl
    def consumer_wrapper(
        self, config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
    ) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall]:
        def wrap(operation: ConsumedOperation, call: ConsumedCall) -> ConsumedCall:
            async def recorded(arguments: Arguments, *, stream: bool = False) -> Result:
                self.consumed.append(current_call())
                return await call(arguments, stream=stream)

            return recorded

        return wrap

    def _end(self, error: BaseException | None) -> None:
        self.ends.append(error)
        self.ended.set()


class LinesConfig(ExposerConfig):
    """`type: lines`: operations in a list, on a port of its own."""

    port: int = Field(0, ge=0, le=65535)
    operations: tuple[OperationSpec, ...] = ()


class LinesExposer(Exposer[LinesConfig]):
    """Reads one line of JSON: `headers`, and the `arguments` of the first operation; sends one line."""

    config_class = LinesConfig
    checks_callers = True
    opens_scope = True

    def __init__(self, config: LinesConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str | None:
        return None if self._server is None else f"tcp://{PEER}:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        port = self.context.settings.ports.get(self.config.namespace, self.config.port)
        self._server = await asyncio.start_server(self._serve, PEER, port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = orjson.loads(await reader.readline())
        writer.write(orjson.dumps(await self._respond(request, writer.get_extra_info("peername")[0])) + b"\n")
        await writer.drain()
        writer.close()

    async def _respond(self, request: dict[str, Any], peer: str) -> Any:
        principal = None
        if self.context.access is not None:
            verdict = self.context.access.check(request.get("headers", {}), path="/lines", peer=peer)
            if not isinstance(verdict, Principal):
                return getattr(verdict, "detail", None)
            principal = verdict
        operation = next(iter(self.operations.values()))
        try:
            if not self.opens_scope:
                return (await operation.call(request["arguments"])).data
            with self.context.call("tcp", principal=principal, client_address=peer):
                return (await operation.call(request["arguments"])).data
        except OperationError as error:
            return error.message


class BareLinesExposer(LinesExposer):
    """The same without a scope for each call."""

    opens_scope = False


class LinesPlugin:
    """The plugin of `type: lines` and `type: bare-lines`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("lines", LinesExposer)
        register("bare-lines", BareLinesExposer)


async def send_line(url: str, **request: Any) -> Any:
    """Send a request to a `LinesExposer`; return its response."""
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(orjson.dumps(request) + b"\n")
        return orjson.loads(await reader.readline())
    finally:
        writer.close()
