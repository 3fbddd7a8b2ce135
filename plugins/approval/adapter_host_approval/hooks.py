"""The hooks of the plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from adapter_host import (
    BuildContext,
    Call,
    ExposerConfig,
    ExtensionKey,
    ForwardSpec,
    HostService,
    LoadedCapability,
    Operation,
    OperationSpec,
    Problem,
    RegisterExposer,
    hookimpl,
)

from .approvals import PURPOSE, Approvals, document_of
from .binding import Site, upstream_texts
from .conditions import Needs, always, compile_conditions
from .config import KEY, ApprovalConfig, ApprovalPolicy
from .exposer import ApprovalExposer
from .pages import ServedPages

_NAMED: Final = frozenset({"basic", "digest", "oauth2", "mutualtls"})
"""The types of authentication whose callers have names."""


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the exposer of approval pages."""
    register("approval", ApprovalExposer)


@hookimpl
def extension_keys() -> Iterable[ExtensionKey]:
    """Return where `x-approval` may be set."""
    yield ExtensionKey(KEY, "exposer", ApprovalPolicy)
    yield ExtensionKey(KEY, "exposed operation", ApprovalPolicy)


@hookimpl(trylast=True)
def operation_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Let calls of an operation wait for an approval, next to the call itself: repeats that others stop need none."""
    policy = _policy_of(operation, context)
    if policy is None or not policy.required:
        return None
    if isinstance(operation.spec, ForwardSpec):
        message = f"'{KEY}' is not possible for a 'forward'; use operations, or set '{KEY}: false' on it"
        context.problem(message, operation.spec, code="not-approvable")
        return None
    _check(policy, operation, context)
    needs = _compile(policy, operation, context)
    if needs is None:
        return None
    # Imported late: few documents have operations that need an approval.
    from .wrapping import ApprovedOperation

    site = Site(
        document=document_of(context),
        capability=context.loaded.capability.label,
        exposer=context.namespace,
        operation=operation.name,
        upstream=upstream_texts(operation),
        deciders=(policy.ask, *policy.approvers),
    )
    return ApprovedOperation(policy, needs, site, Approvals.of(context), ServedPages.of(context)).wrap


def _policy_of(operation: Operation, context: BuildContext) -> ApprovalPolicy | None:
    """Return the policy of an operation, else that of its exposer."""
    if KEY in (operation.spec.model_extra or {}):
        return context.read_extension(KEY, operation.spec, ApprovalPolicy)
    config = _exposer_of(context)
    return None if config is None else context.read_extension(KEY, config, ApprovalPolicy)


def _exposer_of(context: BuildContext) -> ExposerConfig | None:
    exposers = context.loaded.capability.exposes
    return next((config for config in exposers if config.namespace == context.namespace), None)


def _check(policy: ApprovalPolicy, operation: Operation, context: BuildContext) -> None:
    spec = operation.spec
    if context.state.is_shared and context.sealer(PURPOSE) is None:
        message = f"'{KEY}' keeps arguments of calls in the state store, sealed; set ADAPTER_HOST_STATE_KEY"
        context.problem(message, spec, code="approval-key")
    pages = [each for each in context.loaded.capability.exposes if isinstance(each, ApprovalConfig)]
    if not pages and not policy.client_decides:
        message = f"nobody can approve '{operation.name}'; add an exposer of type 'approval'"
        context.problem(message, spec, code="approval-page")
    if not policy.approvers:
        return
    if not any(each.authentication is not None and each.authentication.type in _NAMED for each in pages):
        message = "'approvers' are names, and the exposer of type 'approval' has none; set its 'authentication' to "
        context.problem(message + "basic, digest, oauth2 or mutualTLS", spec, code="approval-names")


def _compile(policy: ApprovalPolicy, operation: Operation, context: BuildContext) -> Needs | None:
    if not policy.when:
        return always
    own = KEY in (operation.spec.model_extra or {})
    names = {item.name for item in operation.inputs}
    for argument in (each.argument for each in policy.when if own and each.argument is not None):
        if not argument.startswith("$") and argument not in names:
            message = f"no input has the name '{argument}' of a condition in '{KEY}'"
            context.problem(message, operation.spec, KEY, "when", code="unknown-argument")
    try:
        return compile_conditions(policy.when, operation)
    except ValueError as error:
        context.problem(f"'{KEY}': {error}", operation.spec, code="invalid")
        return None


@hookimpl
def check_capability(loaded: LoadedCapability) -> Iterator[Problem]:
    """Report the key where it has no effect, as calls would not be stopped there."""
    document = loaded.source.data
    exposed = [loaded.loc(config) for config in loaded.capability.exposes]
    locs: list[tuple[str | int, ...]] = [(), ("capability",)]
    found = [loc for loc in locs if KEY in _section(document, loc)]
    for model, loc in loaded.models:
        if KEY not in (model.model_extra or {}):
            continue
        is_below = any(loc[: len(base)] == base for base in exposed)
        if not is_below or not isinstance(model, OperationSpec | ExposerConfig):
            found.append(loc)
    for loc in found:
        message = f"'{KEY}' has no effect here; set it on an exposer or on one of its operations"
        yield loaded.source.problem((*loc, KEY), message, code="misplaced", key=True)


def _section(document: Any, loc: tuple[str | int, ...]) -> Mapping[str, Any]:
    for key in loc:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


@hookimpl
def host_services(host: Any) -> Iterable[HostService]:
    """Offer the calls that wait to the other plugins of the host."""
    from .decisions import Decisions

    return [Decisions(host)]
