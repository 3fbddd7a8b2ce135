"""The declaration of a name, and what people want to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from adapter_host.compiler.plan import Plan
from adapter_host.document.messages import count_noun
from adapter_host.document.nodes import Position
from adapter_host.document.source import Source
from adapter_host.expressions.template import TAG
from adapter_host.operation.operation import ConsumedOperation, Operation
from adapter_host.plugin.exposer import Exposer
from adapter_host.plugin.tool_tokens import entry_definition_text, estimate_tokens

from .check import Check
from .cursor import Place, value_at
from .includes import include_definitions, include_description, is_in_include
from .names import (
    CALL,
    REF,
    TARGET,
    bind_place,
    called,
    functions,
    imported_file,
    last_key,
    namespace_place,
    operation_at,
    place_of,
    unit_at,
)

_IMPORT_KEYS: Final = frozenset({"import", "from", "location"})
_NAMING_KEYS: Final = frozenset({"name", "description", "method", CALL, REF})


def definitions(place: Place, position: int, source: Source, check: Check) -> list[Position]:
    """Return where the name at a position of a document's text is declared."""
    plan = check.plan
    if plan is None or place.is_key:
        return []
    return [found for found in _definitions(place, position, source, check, plan) if found is not None]


def _definitions(place: Place, position: int, source: Source, check: Check, plan: Plan) -> Iterator[Position | None]:
    key, value = last_key(place.loc), value_at(source.data, place.loc)
    if is_in_include(place.loc):
        yield from include_definitions(check, source, place.loc)
    elif name := _tag_at(place, position):
        yield bind_place(plan.loaded, name)
    elif key == CALL:
        operation = operation_at(plan, unit_at(check, source, place.loc))
        yield from (place_of(plan.loaded, target) for target in called(plan, str(value), operation))
    elif key == REF:
        for name, function in functions(plan.loaded):
            if name == value:
                yield plan.loaded.source.position_of(plan.loaded.loc(function, "name"))
    elif key == TARGET:
        yield namespace_place(plan.loaded, str(value))
    elif key in _IMPORT_KEYS and (file := imported_file(source, value_at(source.data, place.loc[:-1]))):
        entry = plan.loaded.source.position_of(place.loc[:-1])
        yield entry if entry[0] == file else (file, 1, 1)


def _tag_at(place: Place, position: int) -> str | None:
    """Return the name of the template's tag at a position."""
    offset = position - place.start
    return next((tag[2] for tag in TAG.finditer(place.text) if tag.start() <= offset <= tag.end()), None)


def description(place: Place, position: int, source: Source, check: Check) -> str:
    """Return what is known of the thing at a position, as Markdown; empty if there is nothing."""
    plan = check.plan
    if plan is None:
        return ""
    if not place.is_key and (name := _tag_at(place, position)):
        return _secret(plan, name)
    if is_in_include(place.loc):
        return include_description(check, source, place.loc)
    key, value = last_key(place.loc), value_at(source.data, place.loc)
    unit = unit_at(check, source, place.loc[:-1])
    operation = operation_at(plan, unit)
    if key == CALL and not place.is_key:
        return "\n\n---\n\n".join(_request(target) for target in called(plan, str(value), operation))
    nearest = unit.models[0] if unit.models else None
    if key in _NAMING_KEYS and nearest is not None:
        if operation is not None and operation.spec is nearest:
            return _exposed(plan, operation)
        consumed = next((item for item in plan.consumed if item.spec is nearest), None)
        return "" if consumed is None else _request(consumed)
    exposer = next((item.exposer for item in plan.exposers if item.exposer.config is nearest), None)
    return _tools(exposer) if exposer is not None and key in ("type", "namespace") else ""


def _secret(plan: Plan, name: str) -> str:
    variable = plan.loaded.binds.find(name)
    return "" if variable is None else f"Secret `{variable.qualified_name}`, from {variable.source.label}."


def _request(operation: ConsumedOperation) -> str:
    described = operation.describe()
    words = [str(word) for word in (described.get("method"), described.get("url")) if word]
    parts = [f"**{operation.names[-1]}**"]
    if words:
        parts.append(f"```http\n{' '.join(words)}\n```")
    if operation.description:
        parts.append(operation.description)
    names = [f"`{item.name}`{' (required)' if item.required else ''}" for item in operation.inputs]
    return "\n\n".join([*parts, *([f"Inputs: {', '.join(names)}"] if names else [])])


def _exposed(plan: Plan, operation: Operation) -> str:
    parts = [f"**{operation.name}**"]
    for exposer_plan in plan.exposers:
        for name, tokens in _costs(exposer_plan.exposer, operation):
            parts.append(f"The definition of tool `{name}` costs a model about {tokens:,} tokens.")
    calls = [_request(target) for target in operation.upstream]
    return "\n\n".join([*parts, *calls]) if calls or len(parts) > 1 else ""


def _tools(exposer: Exposer[Any]) -> str:
    costs = [tokens for _, tokens in _costs(exposer)]
    return f"{count_noun(len(costs), 'tool')}, about {sum(costs):,} tokens in every conversation." if costs else ""


def _costs(exposer: Exposer[Any], operation: Operation | None = None) -> Iterator[tuple[str, int]]:
    """Yield the tools of an exposer, or of one of its operations, with the tokens of their definitions."""
    for entry in exposer.catalog():
        if "inputSchema" in entry.details and (operation is None or entry.operation is operation):
            yield entry.title, estimate_tokens(entry_definition_text(entry))
