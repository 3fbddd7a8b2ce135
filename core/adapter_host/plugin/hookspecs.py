"""The hooks of a plugin. All are called at load or build; none per request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from adapter_host.binds.binds import BindSource
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import ConsumerConfig, OperationSpec, StepSpec
from adapter_host.errors import Problem
from adapter_host.operation.operation import Call, ConsumedOperation, HeaderWriter, Operation

from .consumer import ConsumedCall, Consumer
from .context import BuildContext
from .exposer import Exposer, HttpExposer
from .step_type import StepType

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

PROJECT = "adapter_host"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of its name."""


class RegisterExposer(Protocol):
    """Registers an exposer class under the `exposes` type it serves."""

    def __call__(self, type_name: str, exposer: type[Exposer[Any]]) -> None: ...


class RegisterConsumer(Protocol):
    """Registers a consumer class under the `consumes` type it calls."""

    def __call__(self, type_name: str, consumer: type[Consumer[Any]]) -> None: ...


class RegisterBindSource(Protocol):
    """Registers a source of secrets under the scheme of the `location` of the binds that it reads."""

    def __call__(self, scheme: str, source: type[BindSource]) -> None: ...


class RegisterStepType(Protocol):
    """Registers a class for the steps of a type."""

    def __call__(self, type_name: str, step_type: type[StepType[Any]]) -> None: ...


@hookspec
def register_exposers(register: RegisterExposer) -> None:
    """Register exposer classes, one for each ``exposes`` type the plugin serves."""


@hookspec
def register_consumers(register: RegisterConsumer) -> None:
    """Register consumer classes, one for each ``consumes`` type the plugin calls."""


@hookspec
def register_bind_sources(register: RegisterBindSource) -> None:
    """Register sources of secrets, one for each scheme of a bind's ``location`` that the plugin reads."""


@hookspec
def register_step_types(register: RegisterStepType) -> None:
    """Register classes for types of steps, beside ``call`` and ``lookup``, which are the host's own."""


@hookspec
def check_capability(loaded: LoadedCapability) -> Iterable[Problem] | None:
    """Report problems that no single model can see, before anything is built."""


@hookspec
def operation_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Return a function that wraps the operation's call; it runs once, at build."""


@hookspec
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall] | None:
    """Return a function that wraps the call of each operation of a consumed API; it runs once for each, at build."""


@hookspec
def step_wrapper(step: StepSpec, operation: OperationSpec, context: BuildContext) -> Callable[[Call], Call] | None:
    """Return a function that wraps what a step does; it runs once for each step of an operation, at build."""


@hookspec
def upstream_headers(config: ConsumerConfig, context: BuildContext) -> HeaderWriter | None:
    """Return a function that adds headers to each request to a consumed API; asked once for each API, at build."""


@hookspec
def http_middlewares(exposer: HttpExposer[Any], context: BuildContext) -> Iterable[Middleware] | None:
    """Return aiohttp middlewares to put inside an exposer's door; asked once for each HTTP exposer, at build."""
