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
    LoadedCapability,
    Model,
    Operation,
    OperationSpec,
    Problem,
    hookimpl,
)

from .config import KEY, ApiPolicy, CallPolicy, OperationPolicy
from .wrapping import ConsumedApi, wrap_operation

Loc = tuple[str | int, ...]


@hookimpl
def extension_keys() -> Iterable[ExtensionKey]:
    """Return where `x-resilience` may be set."""
    yield ExtensionKey(KEY, "consumed API", ApiPolicy)
    yield ExtensionKey(KEY, "consumed operation", OperationPolicy)
    yield ExtensionKey(KEY, "exposed operation", CallPolicy)


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
    policy = context.read_extension(KEY, operation.spec, CallPolicy)
    return None if policy is None else lambda call: wrap_operation(policy, operation.name, call, context)


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
