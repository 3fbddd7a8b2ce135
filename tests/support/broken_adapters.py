"""Adapters that each break their contract in one way, by the contract test that detects it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from adapter_host import (
    ArgumentError,
    Arguments,
    BuildContext,
    Call,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Input,
    Operation,
    OperationError,
    Operations,
    Plugins,
    Result,
    StartError,
    UnavailableError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    hookimpl,
)
from adapter_host.testing import CallFailedError, ConsumerContract, Example, ExposerContract, Hold
from adapter_host_echo.exposer import EchoConfig, EchoExposer

# Exposers


def is_first(context: BuildContext) -> bool:
    """Return whether an exposer is not that of a reload."""
    builds: list[None] = context.shared_state("builds", list)
    builds.append(None)
    return len(builds) == 1


class LoopExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if is_first(context):
            self.loop = asyncio.get_running_loop()


class ForgetfulExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        given = json.loads(text)
        if name == "write":
            given.pop("note", None)
        return await super()._call(name, json.dumps(given))


class FalsyExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        content = await super()._call(name, text)
        return {**content, "result": content.get("result") or None}


class SilentExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        try:
            return await super()._call(name, text)
        except UpstreamTimeoutError:
            return {"result": None}


class UncertainExposer(EchoExposer):
    """Says that nothing was sent, also of a request that was sent."""

    async def _call(self, name: str, text: str) -> Any:
        try:
            return await super()._call(name, text)
        except UpstreamError as error:
            if type(error) is UpstreamError and error.sent:
                raise UpstreamError(error.message, sent=False) from error
            raise


class VagueExposer(EchoExposer):
    """Reports the place of an argument only where it is the complete argument."""

    async def _call(self, name: str, text: str) -> Any:
        try:
            return await super()._call(name, text)
        except ArgumentError as error:
            raise ArgumentError(error.parameter, error.message) from error


class LeakyExposer(EchoExposer):
    """Passes on the headers of the API's error, which have its cookies."""

    async def _call(self, name: str, text: str) -> Any:
        try:
            return await super()._call(name, text)
        except UpstreamStatusError as error:
            raise UpstreamError(f"{error.message}: {dict(error.headers)}") from error


class TruncatingExposer(EchoExposer):
    """Takes the beginning of a response that was cut off for the response."""

    streams = True

    async def _call(self, name: str, text: str) -> Any:
        result = await self._operations_by_name[name].call(json.loads(text))
        if result.stream is None:
            return {"result": result.data}
        async with aclosing(aiter(result.stream)) as parts:  # type: ignore[type-var]
            begun = [part async for part in until_failure(parts)]
        return {"result": json.loads(b"".join(begun))}


async def until_failure(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for part in parts:
            yield part
    except UpstreamError:
        return


class MiscodedExposer(EchoExposer):
    """Reports the errors of plugins without their status."""

    async def _call(self, name: str, text: str) -> Any:
        try:
            return await super()._call(name, text)
        except OperationError as error:
            if error.status == 429:
                raise OperationError(error.message) from error
            raise


class TalkativeExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        try:
            return await super()._call(name, text)
        except RuntimeError as error:
            raise OperationError(repr(error)) from error


class GenerousExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        return await super()._call(name, json.dumps({"id": 0, **json.loads(text)}))


class TolerantExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        known = [given.name for given in self._operations_by_name[name].inputs]
        given = {key: value for key, value in json.loads(text).items() if key in known}
        return await super()._call(name, json.dumps(given))


class OpenExposer(EchoExposer):
    checks_callers = True

    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config.model_copy(update={"authentication": None}), operations, context)


class MixingExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.waiting: list[asyncio.Future[Any]] = []

    async def _call(self, name: str, text: str) -> Any:
        own: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.append(own)
        try:
            found = await super()._call(name, text)
        except BaseException:
            self.waiting.remove(own)
            raise
        self.waiting.pop(0).set_result(found)
        return await own


class StubbornExposer(EchoExposer):
    async def _respond(self, line: str, client_address: str | None) -> str:
        return await asyncio.shield(super()._respond(line, client_address))


class EagerExposer(EchoExposer):
    draining = False

    async def start(self) -> None:
        self.draining = False
        await super().start()

    async def drain(self) -> None:
        self.draining = True
        await super().drain()

    async def _call(self, name: str, text: str) -> Any:
        return {"result": {}} if self.draining else await super()._call(name, text)


class RudeExposer(EchoExposer):
    reloaded = False

    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.writers: list[asyncio.StreamWriter] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        await super()._serve(reader, writer)

    def notify_reload(self) -> None:
        self.reloaded = True

    async def drain(self) -> None:
        if self.reloaded:
            return
        for writer in self.writers:
            writer.close()


class PatientExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.silent: set[asyncio.Future[None]] = set()
        self.by_writer: dict[asyncio.StreamWriter, asyncio.Future[None]] = {}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.ensure_future(super()._serve(reader, writer))
        self.silent.add(serving)
        self.by_writer[writer] = serving
        await asyncio.wait([serving])

    async def serve_line(self, line: bytes, end: asyncio.Future[None], writer: asyncio.StreamWriter) -> bool:
        self.silent = {task for task in self.silent if task is not self.by_writer[writer]}
        return await super().serve_line(line, end, writer)

    def notify_reload(self) -> None:
        self.silent.clear()

    async def drain(self) -> None:
        if self.silent:
            await asyncio.wait(self.silent)


class BusyExposer(EchoExposer):
    async def start(self) -> None:
        await super().start()
        self.task = asyncio.create_task(asyncio.Event().wait())


class OnceExposer(EchoExposer):
    started = False

    async def start(self) -> None:
        if self.started:
            raise StartError("once is enough")
        self.started = True
        await super().start()


class SharingExposer(EchoExposer):
    shared: ClassVar[dict[str, Operation]] = {}

    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if is_first(context):
            self.shared.update(self._operations_by_name)
            self._operations_by_name = self.shared


class OwnSocket:
    """Stands for the socket of the host where an exposer has its own."""

    def __init__(self, exposer: EchoExposer) -> None:
        self.request = lambda _: nullcontext(exposer)


class SelfListeningExposer(EchoExposer):
    """The base: listens itself, wrongly, if the settings ask for something."""

    asked = False
    server: asyncio.Server | None = None

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @property
    def url(self) -> str | None:
        if not self.asked:
            return super().url
        return f"tcp://127.0.0.1:{self.server.sockets[0].getsockname()[1]}" if self.server is not None else None

    async def start(self) -> None:
        await super().start()
        if self.asked:
            self.server = await self.listen()

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None


class PortBlindExposer(SelfListeningExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.asked = bool(context.settings.ports.get(config.namespace))


class AddressBlindExposer(SelfListeningExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.asked = context.settings.address is not None


class RawErrorExposer(PortBlindExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if self.asked:
            context.sockets.clear()
            self._socket = OwnSocket(self)  # type: ignore[assignment]

    async def start(self) -> None:
        if not self.asked:
            await super().start()
            return
        port = self.context.settings.ports[self.config.namespace]
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", port)


class HoardingExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.hoard: dict[asyncio.StreamWriter, socket.socket] = {}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        descriptor = writer.get_extra_info("socket").fileno()
        self.hoard[writer] = socket.socket(fileno=os.dup(descriptor))
        await super()._serve(reader, writer)
        if writer in self.hoard and not reader.at_eof():
            self.hoard.pop(writer).close()

    async def serve_line(self, line: bytes, end: asyncio.Future[None], writer: asyncio.StreamWriter) -> bool:
        if writer in self.hoard:
            self.hoard.pop(writer).close()
        return await super().serve_line(line, end, writer)


class ClosingExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.idle: set[asyncio.StreamWriter] = set()

    async def serve_line(self, line: bytes, end: asyncio.Future[None], writer: asyncio.StreamWriter) -> bool:
        self.idle.discard(writer)
        serves = await super().serve_line(line, end, writer)
        self.idle.add(writer)
        return serves

    async def stop(self) -> None:
        for writer in self.idle:
            writer.close()


class DeafExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.deaf = not is_first(context)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.deaf:
            self.deaf = False
            return
        await super()._serve(reader, writer)


class HastyExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.busy: set[asyncio.StreamWriter] = set()

    async def serve_line(self, line: bytes, end: asyncio.Future[None], writer: asyncio.StreamWriter) -> bool:
        self.busy.add(writer)
        try:
            return await super().serve_line(line, end, writer)
        finally:
            self.busy.discard(writer)

    def notify_reload(self) -> None:
        asyncio.get_running_loop().call_later(0.05, self._close, set(self.busy))

    def _close(self, busy: set[asyncio.StreamWriter]) -> None:
        for writer in busy & self.busy:
            writer.close()


class FragileExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.state: dict[str, Any] = context.shared_state("echo", dict)

    async def start(self) -> None:
        self.state.update(latest=self, closed=False)
        await super().start()

    async def stop(self) -> None:
        self.state["closed"] = self.state["latest"] is self

    async def _call(self, name: str, text: str) -> Any:
        if self.state["closed"]:
            raise UnavailableError("closed")
        return await super()._call(name, text)


class ImpreciseExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        given = json.loads(text)
        if name == "read" and given.get("id") == 12:
            given["id"] = 12.0
        return await super()._call(name, json.dumps(given))


class RepeatingExposer(EchoExposer):
    async def _call(self, name: str, text: str) -> Any:
        try:
            return await super()._call(name, text)
        except UnavailableError:
            if name != "write":
                raise
            return await super()._call(name, text)


class BoundlessExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        settings = replace(context.settings, body_limit=10**7)
        super().__init__(config, operations, replace(context, settings=settings))


LINES = "application/x-ndjson"


class DroppingExposer(EchoExposer):
    streams = True

    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self._operations_by_name = {
            name: replace(operation, call=self.take_stream(operation.call))
            for name, operation in self._operations_by_name.items()
        }

    def take_stream(self, call: Call) -> Call:
        async def take(arguments: Arguments) -> Result:
            result = await call(arguments)
            return result if result.stream is None else await self.read(result)

        return take

    async def read(self, result: Result) -> Result:
        await result.hold(10_000)
        return Result(data=None)


class LeakingExposer(DroppingExposer):
    async def read(self, result: Result) -> Result:
        if result.media_type == LINES:
            return await super().read(result)
        stream, result.stream = result.stream, None
        assert stream is not None
        self.streams_in_use = [*getattr(self, "streams_in_use", ()), stream]
        parts: list[bytes] = []
        iterator = aiter(stream)
        while True:
            part = asyncio.ensure_future(anext(iterator, None))
            self.reading = part
            data = await asyncio.shield(part)
            if data is None:
                return Result(body=b"".join(parts))
            parts.append(data)


class LeakingItemsExposer(DroppingExposer):
    async def read(self, result: Result) -> Result:
        if result.media_type != LINES:
            return await result.hold(10_000)
        items = aiter(result.iter_items())
        self.items_in_use = [*getattr(self, "items_in_use", ()), items]
        while True:
            item = asyncio.ensure_future(anext(items, None))
            self.reading = item
            if await asyncio.shield(item) is None:
                return Result(data=None)


class AmbiguousExposer(EchoExposer):
    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        by_name = {operation.name: operation for operation in operations.values()}
        super().__init__(config, Operations(list(by_name.values())), context)


class UnlistedExposer(EchoExposer):
    def catalog(self) -> Any:
        return list(super().catalog())[1:]


class ModestExposer(EchoExposer):
    def usage(self, url: str) -> Any:
        raise KeyError(url)


class AsynchronousExposer(EchoExposer):
    def notify_reload(self) -> Any:
        return self


EXPOSERS: Mapping[str, type[EchoExposer]] = {
    "test_building_has_no_side_effects": LoopExposer,
    "test_each_operation_is_served": ForgetfulExposer,
    "test_results_equal_direct_calls": FalsyExposer,
    "test_errors_reach_the_client": SilentExposer,
    "test_unexpected_errors_hide_details": TalkativeExposer,
    "test_errors_say_whether_the_request_was_sent": UncertainExposer,
    "test_errors_name_the_place": VagueExposer,
    "test_errors_contain_nothing_internal": LeakyExposer,
    "test_failed_streams_are_errors": TruncatingExposer,
    "test_invalid_arguments_are_named": GenerousExposer,
    "test_unknown_arguments_are_named": TolerantExposer,
    "test_numbers_keep_their_type": ImpreciseExposer,
    "test_calls_are_made_once": RepeatingExposer,
    "test_body_limit": BoundlessExposer,
    "test_streams_are_read_and_closed": DroppingExposer,
    "test_abandoned_streams_are_closed": LeakingExposer,
    "test_abandoned_items_are_closed": LeakingItemsExposer,
    "test_duplicate_names_are_problems": AmbiguousExposer,
    "test_catalog_lists_the_operations": UnlistedExposer,
    "test_usage_is_text": ModestExposer,
    "test_announcing_a_reload": AsynchronousExposer,
    "test_authentication_is_enforced_or_rejected": OpenExposer,
    "test_concurrent_calls_are_isolated": MixingExposer,
    "test_disconnect_cancels_the_call": StubbornExposer,
    "test_drain_refuses_new_calls": EagerExposer,
    "test_drain_completes_calls_in_flight": RudeExposer,
    "test_idle_connections_do_not_delay_stop": PatientExposer,
    "test_stop_leaves_no_tasks": BusyExposer,
    "test_restart": OnceExposer,
    "test_two_hosts_are_isolated": SharingExposer,
    "test_settings_replace_the_port": PortBlindExposer,
    "test_settings_replace_the_address": AddressBlindExposer,
    "test_taken_port_is_a_start_error": RawErrorExposer,
    "test_stop_closes_connections": HoardingExposer,
    "test_reload_keeps_clients": ClosingExposer,
    "test_reload_refuses_no_connection": DeafExposer,
    "test_reload_completes_calls_in_flight": HastyExposer,
    "test_failed_reload_changes_nothing": FragileExposer,
}

MISTAKES: Sequence[tuple[type[EchoExposer], str]] = ((MiscodedExposer, "test_errors_reach_the_client"),)
"""More exposers than one for a test."""


class EchoContract(ExposerContract):
    adapter: ClassVar[type[EchoExposer]] = EchoExposer

    def plugins(self) -> Plugins:
        registering = hookimpl(lambda register: register("echo", self.adapter))
        return Plugins({"tested": SimpleNamespace(register_exposers=registering)})

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "echo", "namespace": "front", "port": 0, "operations": list(operations)}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)

        async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
            writer.write(f"{operation} {json.dumps(arguments)}\n".encode())
            response = json.loads(await reader.readline())
            if "error" in response:
                place = (response["parameter"], response.get("pointer")) if "parameter" in response else None
                kind, sent = response["status"], response.get("sent")
                raise CallFailedError(str(response), kind=kind, sent=sent, place=place)
            return response["result"]

        try:
            yield call
        finally:
            writer.close()


# Consumers


class StationConfig(ConsumerConfig):
    port: int


class Read(ConsumedOperation):
    """Reads a station: sends a line of JSON, and receives it."""

    name = "read"
    inputs = (Input("id", "integer", required=True),)
    limit: int | None = None

    def __init__(self, station: Station) -> None:
        self.namespace = station.config.namespace
        self.station = station

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        return await self.ask({"id": arguments["id"]})

    async def ask(self, given: Mapping[str, Any]) -> Result:
        try:
            limit = self.limit or self.station.context.settings.response_limit
            reader, writer = await asyncio.open_connection(*self.station.address, limit=limit)
            try:
                writer.write(json.dumps(given).encode() + b"\n")
                return Result(data=json.loads(await reader.readline()))
            finally:
                writer.close()
        except OSError as error:
            raise UpstreamUnreachableError("the station is not there") from error
        except ValueError as error:
            raise UpstreamInvalidError("the station talks nonsense") from error


class Station(Consumer[StationConfig]):
    """A consumer that passes its contract."""

    config_class = StationConfig
    operation: ClassVar[type[Read]] = Read

    @classmethod
    def declared_address(cls, config: StationConfig, context: BuildContext) -> str | None:
        return f"tcp://127.0.0.1:{config.port}"

    @property
    def address(self) -> tuple[str, int]:
        url = urlsplit(self.context.base_uri or f"tcp://127.0.0.1:{self.config.port}")
        return url.hostname or "", url.port or 0

    def operations(self) -> Sequence[ConsumedOperation]:
        return (self.operation(self),)

    async def start(self) -> None:
        if self.context.settings.mock:
            raise StartError("the station has no mock server")


class LoopStation(Station):
    def __init__(self, config: StationConfig, context: BuildContext) -> None:
        super().__init__(config, context)
        self.loop = asyncio.get_running_loop()


class OddlyTyped(Read):
    inputs = (Input("id", "int", required=True),)


class AlmostResult:
    status, media_type, stream, body = 200, "application/json", None, b"{}"

    def __init__(self, data: Any) -> None:
        self.data = data

    async def hold(self, limit: int) -> AlmostResult:
        return self


class Almost(Read):
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Any:
        return AlmostResult((await super().call(arguments)).data)


class WronglyTyped(Read):
    inputs = (Input("id", "string", required=True),)


class Changing(Read):
    async def call(self, arguments: Any, *, stream: bool = False) -> Result:
        arguments.setdefault("id", 0)
        return await super().call(arguments)


class Indiscreet(Read):
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        return await self.ask(dict(arguments))


class Raw(Read):
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        try:
            return await super().call(arguments)
        except UpstreamUnreachableError as error:
            raise ConnectionError("refused") from error


class Stubborn(Read):
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        return await asyncio.shield(super().call(arguments))


class Mixing(Read):
    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.given: Arguments = {}

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        self.given = arguments
        await asyncio.sleep(0)
        return await super().call(self.given)


class MixingStation(Station):
    def __init__(self, config: StationConfig, context: BuildContext) -> None:
        super().__init__(config, context)
        self.read = Mixing(self)

    def operations(self) -> Sequence[ConsumedOperation]:
        return (self.read,)


class Unready(Read):
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        assert isinstance(self.station, UnreadyStation)
        self.station.opened.append("a call")
        return await super().call(arguments)


class UnreadyStation(Station):
    operation = Unready
    opened: list[str]

    async def start(self) -> None:
        await super().start()
        self.opened = []


class HastyStation(Station):
    opened: list[str]

    async def start(self) -> None:
        await super().start()
        self.opened = []

    async def stop(self) -> None:
        del self.opened


class OnceStation(Station):
    started = False

    async def start(self) -> None:
        await super().start()
        if self.started:
            raise StartError("once is enough")
        self.started = True


class BusyStation(Station):
    async def start(self) -> None:
        await super().start()
        self.task = asyncio.create_task(asyncio.Event().wait())


class SharingStation(Station):
    started: ClassVar[list[Station]] = []

    async def start(self) -> None:
        await super().start()
        if self.started:
            raise StartError("there is one already")
        self.started.append(self)

    async def stop(self) -> None:
        self.started.clear()


class UnsteadyStation(Station):
    discovers = True
    discovered: ClassVar[Iterator[int]] = count()

    @classmethod
    async def discover(cls, config: StationConfig, context: BuildContext) -> Any:
        return next(cls.discovered)

    def operations(self) -> Sequence[ConsumedOperation]:
        return () if self.context.discovered() is None else super().operations()


class ForgetfulStation(Station):
    discovers = True

    @classmethod
    async def discover(cls, config: StationConfig, context: BuildContext) -> Any:
        return ["read"]


class Secretive(Read):
    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        return {"station": self.station}


class OneAtATime(Read):
    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.lock = asyncio.Lock()

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        async with self.lock:
            return await super().call(arguments)


class Twice(Read):
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        await super().call(arguments)
        return await super().call(arguments)


class Imprecise(Read):
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        return await self.ask({"id": float(arguments["id"])})


class RealDespiteMock(Station):
    async def start(self) -> None:
        """Start as if there were no mock setting."""


class Boundless(Read):
    limit = 10**7


class FixedStation(Station):
    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.config.port


def reading(operation: type[Read]) -> type[Station]:
    """Return a station with another operation."""
    return type(f"{operation.__name__}Station", (Station,), {"operation": operation})


CONSUMERS: Mapping[str, type[Station]] = {
    "test_building_has_no_side_effects": LoopStation,
    "test_operations_declare_inputs": reading(OddlyTyped),
    "test_discovery_is_repeatable": UnsteadyStation,
    "test_missing_definitions_are_a_problem": ForgetfulStation,
    "test_calls_return_results": reading(Almost),
    "test_exposed_operations_call_upstream": reading(WronglyTyped),
    "test_arguments_are_not_modified": reading(Changing),
    "test_undeclared_arguments_are_not_sent": reading(Indiscreet),
    "test_failures_are_upstream_errors": reading(Raw),
    "test_calls_can_be_cancelled": reading(Stubborn),
    "test_concurrent_calls_are_isolated": MixingStation,
    "test_calls_run_at_the_same_time": reading(OneAtATime),
    "test_calls_are_sent_once": reading(Twice),
    "test_numbers_keep_their_type": reading(Imprecise),
    "test_mock_calls_no_api": RealDespiteMock,
    "test_response_limit": reading(Boundless),
    "test_base_uri": FixedStation,
    "test_calls_outside_start_and_stop": UnreadyStation,
    "test_stop_is_idempotent": HastyStation,
    "test_restart": OnceStation,
    "test_stop_leaves_no_tasks": BusyStation,
    "test_two_hosts_are_isolated": SharingStation,
    "test_requests_are_described": reading(Secretive),
}


class StationContract(ConsumerContract):
    adapter: ClassVar[type[Station]] = Station
    examples: ClassVar[Sequence[Example]] = (
        Example("read", {"id": 7}, {"id": 7}),
        Example("read", {"id": 8}, {"id": 8}),
    )
    failures = (UpstreamUnreachableError, UpstreamInvalidError)

    def plugins(self) -> Plugins:
        registering = hookimpl(lambda register: register("station", self.adapter))
        return Plugins({"tested": SimpleNamespace(register_consumers=registering)})

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Mapping[str, Any]]:
        self.held: Hold | None = None
        self.nonsense = False
        self.padding = 0
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield {"type": "station", "namespace": "station", "port": self.server.sockets[0].getsockname()[1]}
        finally:
            self.server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if self.held:
            responding = asyncio.create_task(self.held(json.loads(line)))
            await asyncio.wait([responding, asyncio.create_task(reader.read())], return_when=asyncio.FIRST_COMPLETED)
            responding.cancel()
        padded = line.rstrip() + b" " * self.padding + b"\n"
        writer.write(b"nonsense\n" if self.nonsense else padded)
        writer.close()

    async def fail(self, error: type[UpstreamError]) -> None:
        self.nonsense = error is UpstreamInvalidError
        if not self.nonsense:
            self.server.close()

    async def hold(self) -> Hold:
        self.held = Hold()
        return self.held

    async def enlarge(self, size: int) -> None:
        self.padding = size

    def override(self, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        return {**entry, "port": 1}, f"tcp://127.0.0.1:{entry['port']}"


class WithoutExamples(StationContract):
    examples = ()
