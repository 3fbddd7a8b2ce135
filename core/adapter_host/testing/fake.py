"""A consumed API in memory: `type: fake`. By default, operations return their arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapter_host import (
    Arguments,
    BuildContext,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Exposer,
    ExposerConfig,
    Input,
    InputSpec,
    ListeningConfig,
    Model,
    Operations,
    OperationSpec,
    OutputSpec,
    RegisterConsumer,
    RegisterExposer,
    Result,
    StartError,
    hookimpl,
)

ResponseFactory = Callable[[dict[str, Any]], Any | Awaitable[Any]]


class FakeOperationSpec(Model):
    """An operation: name, method and path, inputs and outputs."""

    name: str
    method: str | None = None
    path: str | None = None
    description: str | None = None
    input_parameters: tuple[InputSpec, ...] = ()
    output_parameters: tuple[OutputSpec, ...] = ()


class FakeConfig(ConsumerConfig):
    """`type: fake`, a namespace, and operations; `secret` is a text with a secret, for tests of binds."""

    operations: tuple[FakeOperationSpec, ...] = ()
    secret: str | None = None


class FakeOperation(ConsumedOperation):
    """Returns its arguments, or the response that is set in its consumer."""

    def __init__(self, spec: FakeOperationSpec, consumer: FakeConsumer) -> None:
        self.namespace = consumer.config.namespace
        self.name = spec.name
        self.method = spec.method
        self.path = spec.path
        self.description = spec.description
        self.spec = spec
        self.inputs = tuple(map(Input.declared, spec.input_parameters))
        self.outputs = spec.output_parameters
        self._consumer = consumer

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        copy = dict(arguments)
        self._consumer.calls.append((self.name, copy))
        respond = self._consumer.responses.get(self.name)
        response = copy if respond is None else respond(copy)
        if isinstance(response, Awaitable):
            response = await response
        return response if isinstance(response, Result) else Result(data=response)


class Hold:
    """A response that blocks calls: `entered` is set by the first call, and setting `release` completes all calls.

    `cancelled` is set when a call is cancelled. `calls` are the arguments of all calls, in order.
    """

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.calls: list[dict[str, Any]] = []
        self._grown = asyncio.Condition()

    async def wait_for_calls(self, number: int) -> None:
        """Wait until so many calls have been made."""
        async with self._grown:
            await self._grown.wait_for(lambda: len(self.calls) >= number)

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        self.entered.set()
        self.calls.append(arguments)
        async with self._grown:
            self._grown.notify_all()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return arguments


class FakeConsumer(Consumer[FakeConfig]):
    """A consumed API in memory.

    `calls` are the received calls, in order. `responses` maps names of operations to functions of the arguments, plain
    or asynchronous, that return data or a `Result`, or raise an error.
    """

    config_class = FakeConfig

    def __init__(self, config: FakeConfig, context: BuildContext) -> None:
        super().__init__(config, context)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.responses: dict[str, ResponseFactory] = {}
        self.running = False
        self._secret = None if config.secret is None else context.secret(config.secret, config, "secret")

    @property
    def secret(self) -> str | None:
        """The text of `secret` in the document, with its secrets."""
        return None if self._secret is None else self._secret.text({})

    def hold(self, operation: str) -> Hold:
        """Block the calls of an operation from now on; they return their arguments after the release."""
        hold = Hold()
        self.responses[operation] = hold
        return hold

    def operations(self) -> Sequence[ConsumedOperation]:
        return [FakeOperation(spec, self) for spec in self.config.operations]

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False


class FakeExposerConfig(ExposerConfig):
    """`type: fake`, a namespace, and operations; with `fails`, it fails to start, after all other exposers."""

    operations: tuple[OperationSpec, ...] = ()
    fails: bool = False


@dataclass(frozen=True)
class _Listening:
    config: ListeningConfig


class FakeExposer(Exposer[FakeExposerConfig]):
    """An exposer without a server, for `Host.call` only."""

    config_class = FakeExposerConfig

    def __init__(self, config: FakeExposerConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if config.fails:
            # Exposers with sockets start last.
            context.listen(_Listening(ListeningConfig(type=config.type, namespace=config.namespace, port=0)))

    async def start(self) -> None:
        if self.config.fails:
            raise StartError(f"'{self.config.namespace}' fails to start, as its document says")


class FakePlugin:
    """The plugin of `type: fake`, a consumer and an exposer."""

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("fake", FakeConsumer)

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("fake", FakeExposer)
