"""Compile a capability: construct adapters, resolve references, compose operations. Nothing is started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from adapter_host.auth.access_check import CredentialsCheck
from adapter_host.auth.compile import compile_credentials
from adapter_host.auth.credentials import Credentials
from adapter_host.capability.declared_schema import resolve_schemas
from adapter_host.capability.diagnostics import Section
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model, walk
from adapter_host.capability.spec import ConsumerConfig, ExposerConfig, ForwardSpec, OperationSpec, find_operations
from adapter_host.document.source import Loc
from adapter_host.errors import ProblemsError
from adapter_host.operation.call_record import RecordedScope
from adapter_host.operation.callers import CallSite
from adapter_host.operation.limiter import CallLimiter
from adapter_host.operation.operation import ConsumedOperation, Operations
from adapter_host.plugin.consumer import Consumer, consumer_context
from adapter_host.plugin.context import NOT_DISCOVERED, BuildContext
from adapter_host.plugin.exposer import Exposer, HttpExposer
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.plugin.loading.origins import MisuseError
from adapter_host.plugin.loading.registry import describe
from adapter_host.plugin.step_type import StepType
from adapter_host.settings import Settings

from .call_records import record_consumed
from .extensions import warn_ineffective_extensions
from .forward import ForwardCompiler, ForwardTarget
from .http_paths import check_paths
from .loading.skipped import SkippedOperation
from .operation import OperationCompiler
from .pagination import compile_pagination
from .plan import ExposerPlan, Plan
from .references import Caller, Functions
from .refusals import join_observers, record_refusals
from .steps.compiler import StepTools, WrapStep
from .values.response_limits import ResponsePolicy
from .wrappers import apply_wrappers, compile_step_wrapper, wrap_consumed

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware


AdapterT = TypeVar("AdapterT")


def compile_capability(
    loaded: LoadedCapability, plugins: Plugins, settings: Settings, shared: MutableMapping[str, Any] | None = None
) -> Plan:
    """Compile a capability; raise `ProblemsError` with all of its problems.

    `shared` is the state of plugins that outlives a reload.
    """
    for problems in plugins.call_hook("check_capability", loaded=loaded):
        loaded.diagnostics.add(*(problems or ()))
    return _CapabilityCompiler(loaded, plugins, settings, {} if shared is None else shared).compile()


class _CapabilityCompiler:
    def __init__(
        self, loaded: LoadedCapability, plugins: Plugins, settings: Settings, shared: MutableMapping[str, Any]
    ) -> None:
        self._loaded = loaded
        self._plugins = plugins
        self._settings = settings
        self._shared = shared
        self._consumed: tuple[ConsumedOperation, ...] = ()
        self._step_types: dict[str, StepType[Any]] = {}
        self._forwarded_namespaces = {
            spec.target_namespace
            for config in loaded.capability.exposes
            for spec in find_operations(config)
            if isinstance(spec, ForwardSpec)
        }
        self._forward_targets: dict[str, ForwardTarget | None] = {}
        self._refusals: dict[str, str] = {}

    def compile(self) -> Plan:
        consumers = tuple(self._compile_consumers())
        if any(problem.code == NOT_DISCOVERED for problem in self._loaded.diagnostics.errors):
            # Every call of an operation that is not known yet would be a problem, too.
            raise ProblemsError(self._loaded.diagnostics.problems)
        self._consumed += tuple(map(SkippedOperation.read, self._loaded.skipped))
        with self._section():
            self._resolve_schemas(self._loaded.capability.aggregates)
            functions = Functions(self._loaded)
        exposers: tuple[ExposerPlan, ...] = ()
        if not self._loaded.partial:
            exposers = tuple(self._compile_exposers(functions))
            self._check_unused(functions)
        self._loaded.compile_schemas()
        warn_ineffective_extensions(self._loaded, self._plugins)
        if self._loaded.diagnostics.errors:
            raise ProblemsError(self._loaded.diagnostics.problems)
        for operation in self._consumed:
            if operation.refusal is not None:
                self._refuse(operation.names, f"cannot be called: {operation.refusal}")
        consumed = tuple(operation for operation in self._consumed if operation.refusal is None)
        return Plan(self._loaded, consumers, consumed, exposers, self._step_types, self._refusals)

    def _refuse(self, names: Iterable[str], reason: str) -> None:
        for name in names:
            self._refusals.setdefault(name, reason)

    def _section(self) -> AbstractContextManager[Section]:
        """Return a context in which errors skip a section of the document, if settings allow that."""
        return self._loaded.diagnostics.demote_errors(self._settings.skip_invalid)

    def _compile_consumers(self) -> list[Consumer[Any]]:
        consumers = []
        for config in self._loaded.capability.consumes:
            with self._section() as section:
                self._resolve_schemas(config)
                adapter = self._plugins.consumers[config.type]
                with self._plugins.named(adapter, "declared_address"):
                    context = consumer_context(adapter, config, self._context(config.namespace))
                writers = self._plugins.call_hook("upstream_headers", config=config, context=context)
                context = replace(context, header_writers=tuple(writers))
                consumer = self._construct(adapter, _label(config), config, context)
                with self._plugins.named(adapter, "operations"):
                    operations = _checked_operations(consumer.operations())
                with self._plugins.named(adapter, "forwarding"):
                    forwarding = consumer.forwarding() if config.namespace in self._forwarded_namespaces else None
                wrapped = self._wrap_operations(
                    operations if forwarding is None else (*operations, forwarding), config, context
                )
            if section.skipped:
                self._consumed += tuple(map(SkippedOperation.of, operations))
            else:
                consumers.append(consumer)
                self._consumed += wrapped[: len(operations)]
                self._forward_targets[config.namespace] = ForwardTarget(forwarding, wrapped[-1]) if forwarding else None
        return consumers

    def _resolve_schemas(self, part: Any) -> None:
        if self._loaded.has_schemas:
            resolve_schemas(part)

    def _wrap_operations(
        self, operations: tuple[ConsumedOperation, ...], config: ConsumerConfig, context: BuildContext
    ) -> tuple[ConsumedOperation, ...]:
        args = {"config": config, "operations": operations, "context": context}
        for wrap in reversed(self._plugins.call_hook("consumer_wrapper", **args)):
            operations = tuple(wrap_consumed(operation, wrap(operation, operation.call)) for operation in operations)
        if self._settings.access_log is not None:
            operations = tuple(wrap_consumed(operation, record_consumed(operation.call)) for operation in operations)
        return tuple(compile_pagination(operation, context) for operation in operations)

    def _step_type(self, type_name: str) -> StepType[Any]:
        """Return the implementation of a step type, constructed on first use."""
        if type_name not in self._step_types:
            step_type = self._construct(
                self._plugins.step_types[type_name], f"steps of type '{type_name}'", self._context("")
            )
            self._step_types[type_name] = step_type
        return self._step_types[type_name]

    def _construct(self, adapter: type[AdapterT], label: str, *args: Any) -> AdapterT:
        with self._plugins.named(adapter, f"cannot build {label}"):
            return adapter(*args)

    def _operation_compiler(
        self, functions: Functions, wrap_step: WrapStep, response_policy: ResponsePolicy | None = None
    ) -> OperationCompiler:
        tools = StepTools(wrap_step, self._step_type)
        return OperationCompiler(self._loaded, self._consumed, functions, tools, response_policy)

    def _context(self, namespace: str) -> BuildContext:
        return BuildContext(self._loaded, self._settings, namespace, shared=self._shared)

    def _check_unused(self, functions: Functions) -> None:
        """Report problems of functions without a reference; the others are already compiled."""
        compiler = self._operation_compiler(functions, lambda step, operation, work: work)
        for function in functions.unused:
            with self._section():
                compiler.check(function)

    def _compile_exposers(self, functions: Functions) -> Iterator[ExposerPlan]:
        for config in self._loaded.capability.exposes:
            with self._section() as section:
                credentials = self._credentials(config)
            # An exposer that cannot authenticate clients must not be served, even with --skip-invalid.
            if not section.skipped and (plan := self._compile_exposer(config, credentials, functions)) is not None:
                yield plan

    def _credentials(self, config: ExposerConfig) -> Credentials | None:
        adapter = self._plugins.exposers[config.type]
        if config.authentication and not issubclass(adapter, HttpExposer) and not adapter.checks_callers:
            message = f"type '{config.type}' does not support 'authentication'; remove the key or use another type"
            self._loaded.problem(message, self._loaded.loc(config, "authentication"), code="unsupported")
        return compile_credentials(config.authentication, self._context(config.namespace))

    def _response_policy(self, adapter: type[Exposer[Any]], config: ExposerConfig) -> ResponsePolicy:
        return ResponsePolicy(adapter.streams, self._settings.response_limit, config.binary_limit)

    def _compile_exposer(
        self, config: ExposerConfig, credentials: Credentials | None, functions: Functions
    ) -> ExposerPlan | None:
        adapter = self._plugins.exposers[config.type]
        limiter = CallLimiter(self._settings.call_limit)
        site = self._site(config)
        context = replace(self._context(config.namespace), site=site)
        described = any(self._plugins.call_hook("reads_request_description", context=context))
        context = replace(context, describes_requests=described)
        observers = tuple(self._plugins.call_hook("access_refused", context=context))
        context = replace(context, observe_refusal=join_observers(observers))
        if credentials is not None:
            write = self._settings.access_log
            own = () if write is None else (record_refusals(site, write),)
            check = CredentialsCheck(credentials, site, join_observers((*observers, *own)))
            context = replace(context, access=check)
        wrap_step = compile_step_wrapper(self._plugins, context)
        compiler = self._operation_compiler(functions, wrap_step, self._response_policy(adapter, config))
        forwards = ForwardCompiler(self._forward_targets, context, config.authentication, streams=adapter.streams)
        operations = []
        for spec, caller in _operations_of(config):
            with self._section() as section:
                self._resolve_schemas(spec)
                operation = forwards.compile(spec) if isinstance(spec, ForwardSpec) else compiler.compile(spec, caller)
                operation = operation and apply_wrappers(
                    operation, self._plugins, context, limiter, convert=config.converts_texts
                )
            if operation and not section.failed:
                operations.append(operation)
            elif section.error is not None and (name := spec.known_as):
                self._refuse((name, f"{config.namespace}.{name}"), f"is left out: {section.error.message}")
        with self._section() as section:
            exposer = self._construct(adapter, _label(config), config, Operations(operations), context)
        if section.skipped:
            return None
        middlewares = self._middlewares(exposer, context)
        origin_paths = check_paths(exposer) if isinstance(exposer, HttpExposer) else frozenset()
        return ExposerPlan(exposer, credentials, limiter, middlewares, site, origin_paths, context.observe_refusal)

    def _site(self, config: ExposerConfig) -> CallSite:
        authentication = None if config.authentication is None else config.authentication.type
        write = self._settings.access_log
        scope = None if write is None else partial(RecordedScope, write=write)
        return CallSite(self._loaded.capability.label, config.namespace, config.type, authentication, new_scope=scope)

    def _middlewares(self, exposer: Exposer[Any], context: BuildContext) -> tuple[Middleware, ...]:
        if not isinstance(exposer, HttpExposer):
            return ()
        by_plugin = self._plugins.call_hook("http_middlewares", exposer=exposer, context=context)
        return tuple(middleware for middlewares in by_plugin for middleware in middlewares)


def _label(config: ConsumerConfig | ExposerConfig) -> str:
    return f"'{config.namespace}' ({config.type})"


def _checked_operations(operations: Any) -> tuple[ConsumedOperation, ...]:
    """Return the operations of a consumer; raise `MisuseError` if they are something else."""
    if not isinstance(operations, Sequence):
        raise MisuseError(f"it returned {describe(operations)}; return a sequence of ConsumedOperation")
    for operation in operations:
        if not isinstance(operation, ConsumedOperation):
            raise MisuseError(f"it returned {describe(operation)} among its operations; subclass ConsumedOperation")
    return tuple(operations)


def _operations_of(config: ExposerConfig) -> list[tuple[OperationSpec, Caller]]:
    """Return the operations of an exposer, each with the context in which it is declared."""
    units = []
    ancestors: list[tuple[Model, Loc]] = []
    for model, loc in walk(config):
        while ancestors and ancestors[-1][1] != loc[: len(ancestors[-1][1])]:
            ancestors.pop()
        if isinstance(model, OperationSpec):
            units.append((model, _caller_of(model, [ancestor for ancestor, _ in ancestors])))
        ancestors.append((model, loc))
    return units


def _caller_of(spec: OperationSpec, ancestors: Sequence[Any]) -> Caller:
    return Caller(
        keys=frozenset({*spec.with_, *(item.name for item in spec.input_parameters if item.in_ == "path")}),
        description=spec.description,
        resource_names=tuple(model.name for model in ancestors if isinstance(getattr(model, "name", None), str)),
        paths=tuple(model.path for model in ancestors if isinstance(getattr(model, "path", None), str)),
        method=getattr(spec, "method", None),
    )
