"""The hooks of plugins. They are called at load, at build, and when a host starts and stops; none per request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from adapter_host.binds.binds import BindSource
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model
from adapter_host.capability.spec import ConsumerConfig, OperationSpec
from adapter_host.capability.step_specs import StepSpec
from adapter_host.errors import Problem
from adapter_host.operation.call_record import CallRecord
from adapter_host.operation.operation import Call, ConsumedOperation, HeaderWriter, Operation
from adapter_host.state.store import StateStore

from .access import RefusedRequest
from .command import Command
from .consumer import ConsumedCall, Consumer
from .context import BuildContext
from .exposer import Exposer, HttpExposer
from .extension_key import ExtensionKey
from .services import HostService
from .step_type import StepType

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

PROJECT = "adapter_host"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook with its name."""


class RegisterExposer(Protocol):
    """Registers an exposer class for an `exposes` type."""

    def __call__(self, type_name: str, exposer: type[Exposer[Any]]) -> None: ...


class RegisterConsumer(Protocol):
    """Registers a consumer class for a `consumes` type."""

    def __call__(self, type_name: str, consumer: type[Consumer[Any]]) -> None: ...


class RegisterBindSource(Protocol):
    """Registers a source of secrets for a scheme in the `location` of binds."""

    def __call__(self, scheme: str, source: type[BindSource]) -> None: ...


class RegisterStepType(Protocol):
    """Registers a class for a step type."""

    def __call__(self, type_name: str, step_type: type[StepType[Any]]) -> None: ...


class RegisterStateStore(Protocol):
    """Registers a class for a scheme in the URL of the state store."""

    def __call__(self, scheme: str, store: type[StateStore]) -> None: ...


class RegisterCommand(Protocol):
    """Registers a command of the command line."""

    def __call__(self, name: str, command: Command) -> None: ...


class RegisterSettings(Protocol):
    """Registers the model of a plugin's settings, of which each plugin has at most one."""

    def __call__(self, model: type[Model]) -> None: ...


@hookspec
def register_exposers(register: RegisterExposer) -> None:
    """Register exposer classes, one for each ``exposes`` type of the plugin."""


@hookspec
def register_consumers(register: RegisterConsumer) -> None:
    """Register consumer classes, one for each ``consumes`` type of the plugin."""


@hookspec
def register_bind_sources(register: RegisterBindSource) -> None:
    """Register sources of secrets, one for each scheme in the ``location`` of binds."""


@hookspec
def register_step_types(register: RegisterStepType) -> None:
    """Register classes for step types; ``call`` and ``lookup`` are built in."""


@hookspec
def register_state_stores(register: RegisterStateStore) -> None:
    """Register state stores, one for each scheme in the URL of the store (``--state``); ``memory`` is built in."""


@hookspec
def register_commands(register: RegisterCommand) -> None:
    """Register commands, which ``adapter-host NAME`` runs."""


@hookspec
def register_settings(register: RegisterSettings) -> None:
    """Register the model of the plugin's settings; ``BuildContext.plugin_settings`` reads them."""


@hookspec
def extension_keys() -> Iterable[ExtensionKey] | None:
    """Return the keys (``x-...``) that the plugin reads, for the JSON Schema of the language."""


@hookspec
def check_capability(loaded: LoadedCapability) -> Iterable[Problem] | None:
    """Return problems that span several models, before anything is built."""


@hookspec
def operation_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Return a function that wraps the call of the operation; it runs once, at build."""


@hookspec
def call_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Return a function that wraps the call of the operation, outside of the check of its arguments and the limit."""


@hookspec
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall] | None:
    """Return a function that wraps the calls of a consumed API; it runs once for each operation, at build."""


@hookspec
def step_wrapper(step: StepSpec, operation: OperationSpec, context: BuildContext) -> Callable[[Call], Call] | None:
    """Return a function that wraps the work of a step; it runs once for each step, at build."""


@hookspec
def upstream_headers(config: ConsumerConfig, context: BuildContext) -> HeaderWriter | None:
    """Return a function that adds headers to each request to a consumed API; called once per API, at build."""


@hookspec
def http_middlewares(exposer: HttpExposer[Any], context: BuildContext) -> Iterable[Middleware] | None:
    """Return aiohttp middlewares to run after the access check; called once per HTTP exposer, at build."""


@hookspec
def access_refused(context: BuildContext) -> Callable[[RefusedRequest], None] | None:
    """Return a function that is called with each request to an exposer that is refused before it becomes a call.

    The hook is called once per exposer, at build; the function is called before the response, and must not block.
    """


@hookspec
def record_calls(host: Any) -> Callable[[CallRecord], None] | None:
    """Return a function that is called with the record of each request and each call at its end.

    The hook is called once per host, which has its settings and plugins, and has built nothing. The function must not
    block, nor raise.
    """


@hookspec
def reads_request_description(context: BuildContext) -> bool | None:
    """Return whether the plugin reads `REQUEST_DESCRIPTION` in calls of an exposer; called once for it, at build."""


@hookspec
def host_services(host: Any) -> Iterable[HostService] | None:
    """Return services for the other plugins of the host, which find them by class.

    The hook is called once per host, when a plugin first searches: never without such a plugin.
    """


@hookspec
def host_starting(host: Any) -> Awaitable[None] | None:
    """Open the resources of calls, before anything of the host is started; may be asynchronous."""


@hookspec
def host_started(host: Any) -> Awaitable[None] | None:
    """Act on a host that serves: its exposers have URLs, and calls may be in flight; may be asynchronous."""


@hookspec
def host_stopped(host: Any) -> Awaitable[None] | None:
    """Close the resources of calls, after everything else, also if the start failed; may be asynchronous."""
