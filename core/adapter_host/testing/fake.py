"""A consumer that calls nothing: `type: fake`. Its operations echo their arguments until told otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from adapter_host import (
    Arguments,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Input,
    InputSpec,
    Model,
    Provision,
    RegisterConsumer,
    Result,
    hookimpl,
)

Answer = Callable[[dict[str, Any]], Any | Awaitable[Any]]


class FakeOperationSpec(Model):
    """One operation: its name, where it stands and what it takes."""

    name: str
    method: str | None = None
    path: str | None = None
    description: str | None = None
    input_parameters: tuple[InputSpec, ...] = ()


class FakeConfig(ConsumerConfig):
    """`type: fake`, a namespace, and operations."""

    operations: tuple[FakeOperationSpec, ...] = ()


class FakeOperation(ConsumedOperation):
    """Echoes its arguments, or gives what its consumer was told to."""

    def __init__(self, spec: FakeOperationSpec, consumer: FakeConsumer) -> None:
        self.namespace = consumer.config.namespace
        self.name = spec.name
        self.method = spec.method
        self.path = spec.path
        self.description = spec.description
        self.inputs = tuple(_input(given) for given in spec.input_parameters)
        self._consumer = consumer

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        given = dict(arguments)
        self._consumer.calls.append((self.name, given))
        answer = self._consumer.answers.get(self.name)
        found = given if answer is None else answer(given)
        if isinstance(found, Awaitable):
            found = await found
        return found if isinstance(found, Result) else Result(data=found)


def _input(given: InputSpec) -> Input:
    return Input(
        name=given.name,
        type=given.type,
        required=bool(given.required),
        description=given.description,
        place=given.place,
        pattern=given.pattern,
        whole=given.place == "body" and given.name == "body",
    )


class FakeConsumer(Consumer[FakeConfig]):
    """A consumed API in memory.

    `calls` are the calls it got, in order; `answers` tells by operation name what to give: a function of the arguments
    (plain or asynchronous) that returns data or a `Result`, or raises.
    """

    config_class = FakeConfig

    def __init__(self, config: FakeConfig, provision: Provision) -> None:
        super().__init__(config, provision)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Answer] = {}
        self.running = False

    def operations(self) -> Sequence[ConsumedOperation]:
        return [FakeOperation(spec, self) for spec in self.config.operations]

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False


class FakePlugin:
    """The plugin that brings `type: fake`."""

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("fake", FakeConsumer)
