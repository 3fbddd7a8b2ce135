"""The plugin's hooks: apply `x-resilience`, and report it where it has no effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from adapter_host import (
    BuildContext,
    Call,
    ConsumedCall,
    ConsumedOperation,
    ConsumerConfig,
    ExtensionKey,
    ForwardSpec,
    HeaderWriter,
    LoadedCapability,
    Model,
    Operation,
    OperationSpec,
    Problem,
    hookimpl,
)

from .config import KEY, ApiPolicy, ExposedPolicy, IdempotencyPolicy, OperationPolicy
from .idempotency.calls import IdempotentOperation
from .idempotency.request_keys import write_key
from .wrapping import ConsumedApi, is_repeatable, wrap_operation

Loc = tuple[str | int, ...]


@hookimpl
def extension_keys() -> Iterable[ExtensionKey]:
    """Return where `x-resilience` may be set."""
    yield ExtensionKey(KEY, "consumed API", ApiPolicy)
    yield ExtensionKey(KEY, "consumed operation", OperationPolicy)
    yield ExtensionKey(KEY, "exposed operation", ExposedPolicy)


@hookimpl
def upstream_headers(config: ConsumerConfig, context: BuildContext) -> HeaderWriter | None:
    """Write idempotency keys to the requests of APIs that have an operation with one."""
    loc = context.loaded.loc(config)
    policies = (
        (model.model_extra or {})[KEY] for model, place in _models_with_key(context.loaded) if _is_below(place, [loc])
    )
    has_key = any(isinstance(policy, dict) and policy.get("idempotencyKey") for policy in policies)
    return write_key if has_key else None


@hookimpl
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall]:
    """Apply the policies of an API and its operations; their state belongs to one build."""
    policy = context.read_extension(KEY, config, ApiPolicy) or ApiPolicy()
    api = ConsumedApi(policy, config.namespace, context.settings.total_timeout, context)
    _check_locations(context.loaded, config, operations)

    def wrap(operation: ConsumedOperation, call: ConsumedCall) -> ConsumedCall:
        own_policy = (
            context.read_extension(KEY, operation.spec, OperationPolicy) if operation.spec is not None else None
        )
        if own_policy and own_policy.idempotency_key and operation.spec is not None and not operation.method:
            message = "'idempotencyKey' is for requests over HTTP, which this operation does not send"
            context.problem(message, operation.spec, KEY, "idempotencyKey")
        return api.wrap(operation, own_policy or OperationPolicy(), call)

    return wrap


def _check_locations(loaded: LoadedCapability, config: ConsumerConfig, operations: Sequence[ConsumedOperation]) -> None:
    """Report the key below a consumed API where it is not on an operation."""
    declared = {id(config), *(id(operation.spec) for operation in operations)}
    for model, loc in _models_with_key(loaded):
        if _is_below(loc, [loaded.loc(config)]) and id(model) not in declared:
            loaded.diagnostics.add(_misplaced_key(loaded, (*loc, KEY)))


@hookimpl
def operation_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Apply the policy of an exposed operation."""
    policy = context.read_extension(KEY, operation.spec, ExposedPolicy)
    if policy is None:
        return None
    idempotency = policy.idempotency and _idempotent(policy.idempotency, operation, context)

    def wrap(call: Call) -> Call:
        limited = wrap_operation(policy, operation.name, call, context)
        return idempotency.wrap(limited) if idempotency else limited

    return wrap


def _idempotent(policy: IdempotencyPolicy, operation: Operation, context: BuildContext) -> IdempotentOperation | None:
    """Return the idempotency of an operation, or None with a problem reported."""
    keys = (KEY, "idempotency")
    if isinstance(operation.spec, ForwardSpec):
        context.problem("'idempotency' is not possible for a 'forward'; use an operation", operation.spec, *keys)
        return None
    if context.state.is_shared and context.sealer("idempotency") is None:
        message = "'idempotency' keeps responses in the state store, sealed; set ADAPTER_HOST_STATE_KEY"
        context.problem(message, operation.spec, *keys)
        return None
    if context.settings.workers > 1 and not context.state.is_shared:
        message = "each worker process has idempotency keys of its own: it carries out repeats of others; set --state"
        context.warn(message, operation.spec, *keys, code="own-keys")
    repeatable = all(is_repeatable(upstream) for upstream in operation.upstream)
    return IdempotentOperation(policy, operation, context, repeatable=repeatable)


@hookimpl
def check_capability(loaded: LoadedCapability) -> Iterator[Problem]:
    """Report the key where it has no effect; `consumer_wrapper` checks consumed APIs."""
    document = loaded.source.data
    top_level: dict[Loc, object] = {(): document, ("capability",): document.get("capability")}
    for loc, section in top_level.items():
        if isinstance(section, dict) and KEY in section:
            yield _misplaced_key(loaded, (*loc, KEY))
    consumed, exposed = (
        [loaded.loc(config) for config in section]
        for section in (loaded.capability.consumes, loaded.capability.exposes)
    )
    for model, loc in _models_with_key(loaded):
        is_exposed_operation = isinstance(model, OperationSpec) and _is_below(loc, exposed)
        if not is_exposed_operation and not _is_below(loc, consumed):
            yield _misplaced_key(loaded, (*loc, KEY))


def _models_with_key(loaded: LoadedCapability) -> Iterator[tuple[Model, Loc]]:
    return ((model, loc) for model, loc in loaded.models if KEY in (model.model_extra or {}))


def _is_below(loc: Loc, bases: Iterable[Loc]) -> bool:
    return any(loc[: len(base)] == base for base in bases)


def _misplaced_key(loaded: LoadedCapability, loc: Loc) -> Problem:
    message = f"'{KEY}' has no effect here; set it on a consumed API or on an operation"
    return loaded.source.problem(loc, message, code="misplaced", key=True)
