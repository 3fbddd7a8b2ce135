"""The checks of compiled capabilities."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model, walk
from adapter_host.capability.pagination_spec import PAGINATION
from adapter_host.capability.spec import ConsumerConfig, ForwardSpec, OperationSpec
from adapter_host.cli.output.exposer_views import catalog_of
from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.document.messages import count_noun, join_words
from adapter_host.expressions.template import TAG
from adapter_host.operation.operation import ConsumedOperation, Operation, Operations
from adapter_host.plugin.exposer import CatalogEntry
from adapter_host.plugin.tool_tokens import entry_definition_text, estimate_tokens
from adapter_host.schemas.portable.render import portable_schema

from .rules import RULES, Finding

APPROVAL: Final = "x-approval"

_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REPLACES: Final = frozenset({"PUT", "PATCH", "DELETE"})
_PORTABLE_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
_NAMES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Budget:
    """The most tokens of the definition of one tool, and of all that an exposer lists."""

    tool: int
    exposer: int


def check_plan(plan: Plan, budget: Budget) -> Iterator[Finding]:
    """Yield the findings of all rules about a capability."""
    for exposer_plan in plan.exposers:
        yield from _check_access(plan, exposer_plan)
        # Included ones are checked where they are declared.
        own = [each for each in exposer_plan.exposer.operations.values() if each.origin is None]
        for operation in own:
            yield from _check_hints(plan, operation)
            yield from _check_approval(plan, exposer_plan, operation)
        exposer = exposer_plan.exposer
        tools = [
            (entry, estimate_tokens(entry_definition_text(entry)))
            for entry in catalog_of(exposer)
            if "inputSchema" in entry.details
        ]
        yield from _check_total(plan, exposer_plan, tools, budget)
        # The others are those of a search, which no document declares.
        declared = [
            (entry, entry.operation.spec, tokens)
            for entry, tokens in tools
            if entry.operation and entry.operation.spec in exposer.operations and entry.operation.origin is None
        ]
        is_portable = getattr(exposer.config, "is_portable", True)
        for entry, spec, tokens in declared:
            yield from _check_tokens(plan, entry, spec, tokens, budget)
            yield from _check_descriptions(plan, entry, spec)
            if not is_portable:
                yield from _check_portable(plan, entry, spec)


def _finding(plan: Plan, rule: str, message: str, model: Model, *keys: str) -> Finding:
    source, loc = plan.loaded.source, plan.loaded.loc(model, *keys)
    # The sections that contain the place are the items of lists above it.
    enclosing = tuple(source.position_of(loc[:end]) for end in range(1, len(loc) + 1) if isinstance(loc[end - 1], int))
    return Finding(RULES[rule], message, source.position_of(loc), enclosing, loc)


def writing_targets(operation: Operation, methods: frozenset[str] = _WRITES) -> list[ConsumedOperation]:
    """Return the consumed operations of an operation whose requests may change something."""
    return [target for target in operation.upstream if _writes(target, methods)]


def _writes(target: ConsumedOperation, methods: frozenset[str]) -> bool:
    if target.method is None:
        return methods is _WRITES and getattr(target.spec, "writes", False) is True
    pagination = _extension(target.spec, PAGINATION)
    is_read_only = isinstance(pagination, Mapping) and pagination.get("readOnly") is True
    return target.method in methods and not is_read_only


def _extension(model: Model | None, key: str) -> Any:
    return None if model is None else (model.model_extra or {}).get(key)


def _check_hints(plan: Plan, operation: Operation) -> Iterator[Finding]:
    hints, semantics = getattr(operation.spec, "hints", None), operation.semantics
    declared = getattr(hints, "read_only", None)
    says_safe = semantics is not None and semantics.safe is True and declared is None
    if (declared is True or says_safe) and (targets := writing_targets(operation)):
        message = f"'{operation.name}' says that it only reads, but {_calls(targets)}; correct the hint 'readOnly'"
        keys = () if hints is None or says_safe else ("hints", "readOnly")
        yield _finding(plan, "write-says-read-only", message, operation.spec, *keys)
    elif getattr(hints, "destructive", None) is False and (targets := writing_targets(operation, _REPLACES)):
        message = (
            f"'{operation.name}' says that it only adds something, but {_calls(targets)}; "
            "correct the hint 'destructive'"
        )
        yield _finding(plan, "update-says-harmless", message, operation.spec, "hints", "destructive")


def _calls(targets: Iterable[ConsumedOperation]) -> str:
    return "calls " + join_words(
        dict.fromkeys(f"'{target.namespace}.{target.name}' ({target.method or 'writes'})" for target in targets), "and"
    )


def _check_access(plan: Plan, exposer_plan: ExposerPlan) -> Iterator[Finding]:
    config = exposer_plan.exposer.config
    is_local = getattr(config, "transport", None) == "stdio"
    if exposer_plan.credentials is not None or is_local:
        return
    credentialed = dict.fromkeys(
        api.namespace
        for loaded, used in _used_apis(plan.loaded, exposer_plan.exposer.operations)
        for api in loaded.capability.consumes
        if api.namespace in used and _has_credential(loaded, api)
    )
    if credentialed:
        names = join_words((f"'{name}'" for name in credentialed), "and")
        message = (
            f"'{config.namespace}' needs no authentication of its callers, and sends the host's credential to {names}; "
            "set 'authentication'"
        )
        yield _finding(plan, "open-exposer", message, config, "namespace")


def _used_apis(own: LoadedCapability, operations: Operations) -> Iterator[tuple[LoadedCapability, set[str]]]:
    """Yield each document, of the exposer or of included operations, with the consumed APIs that it uses of it."""
    documents = {id(own): own}
    used: dict[int, set[str]] = {id(own): set()}
    for spec, operation in operations.items():
        loaded = own if operation.origin is None else operation.origin.loaded
        documents[id(loaded)] = loaded
        names = used.setdefault(id(loaded), set())
        names |= {target.namespace for target in operation.upstream}
        names |= {spec.target_namespace} if isinstance(spec, ForwardSpec) else set()
    yield from ((loaded, used[key]) for key, loaded in documents.items())


def _has_credential(loaded: LoadedCapability, api: ConsumerConfig) -> bool:
    """Return whether requests to an API have an authentication, or a constant input with a secret."""
    if getattr(api, "authentication", None) is not None:
        return True
    names = loaded.secrets.names
    return any(
        _is_secret(tag[2], names)
        for model, _ in walk(api)
        if getattr(model, "in_", None) in ("header", "query", "cookie")
        and isinstance(value := getattr(model, "value", None), str)
        for tag in TAG.finditer(value)
    )


def _is_secret(tag: str, names: Iterable[str]) -> bool:
    """Return whether a tag is the name of a secret, with or without its bind."""
    return any(name == tag or name.endswith(f".{tag}") for name in names)


def _check_approval(plan: Plan, exposer_plan: ExposerPlan, operation: Operation) -> Iterator[Finding]:
    targets = writing_targets(operation)
    models = (operation.spec, exposer_plan.exposer.config, *(target.spec for target in targets))
    if targets and all(_extension(model, APPROVAL) is None for model in models):
        message = f"'{operation.name}' {_calls(targets)} without an approval; set '{APPROVAL}'"
        yield _finding(plan, "write-without-approval", message, operation.spec)


def _check_tokens(
    plan: Plan, entry: CatalogEntry, spec: OperationSpec, tokens: int, budget: Budget
) -> Iterator[Finding]:
    if tokens > budget.tool:
        message = (
            f"the definition of '{entry.title}' costs a model about {tokens:,} tokens, more than {budget.tool:,}; "
            "declare the inputs that callers need, or shorten descriptions"
        )
        yield _finding(plan, "tool-over-budget", message, spec)


def _check_total(
    plan: Plan, exposer_plan: ExposerPlan, tools: Iterable[tuple[CatalogEntry, int]], budget: Budget
) -> Iterator[Finding]:
    costs = [tokens for entry, tokens in tools if entry.details.get("listed", True)]
    if (total := sum(costs)) > budget.exposer:
        config = exposer_plan.exposer.config
        message = (
            f"'{config.namespace}' lists {count_noun(len(costs), 'tool')}, which cost a model about {total:,} tokens, "
            f"more than {budget.exposer:,}; expose fewer, or set 'x-discovery: auto'"
        )
        yield _finding(plan, "tools-over-budget", message, config, "namespace")


def _check_descriptions(plan: Plan, entry: CatalogEntry, spec: OperationSpec) -> Iterator[Finding]:
    if not (entry.details.get("description") or "").strip():
        message = f"'{entry.title}' has no description, by which models choose tools; add 'description'"
        yield _finding(plan, "missing-description", message, spec)
    properties = entry.details["inputSchema"].get("properties", {})
    names = [name for name, schema in properties.items() if not (schema.get("description") or "").strip()]
    if names:
        shown = join_words([*(f"'{name}'" for name in names[:_NAMES_SHOWN])], "and")
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        message = f"'{entry.title}' has inputs without a description: {shown}{more}; add 'description' to them"
        yield _finding(plan, "missing-input-description", message, spec)


def _check_portable(plan: Plan, entry: CatalogEntry, spec: OperationSpec) -> Iterator[Finding]:
    schema = entry.details["inputSchema"]
    parts = [] if _PORTABLE_NAME.fullmatch(entry.title) else ["name"]
    parts += [] if portable_schema(schema) == schema else ["input schema"]
    if parts:
        message = (
            f"the {join_words(parts, 'and')} of '{entry.title}' {'are' if len(parts) > 1 else 'is'} not portable, so "
            "some providers of models refuse it; remove 'x-schema-profile: full', or simplify it"
        )
        yield _finding(plan, "schema-not-portable", message, spec)
