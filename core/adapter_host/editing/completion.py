"""Completion of names, keys, values and paths at a position of a document's text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from adapter_host.compiler.plan import Plan
from adapter_host.operation.operation import ConsumedOperation

from .check import Check
from .cursor import Insertion, is_marked, value_at
from .includes import NAMED_KEYS, include_names, is_in_include
from .names import CALL, REF, TARGET, Unit, functions, input_names, last_key, operation_at, unit_at
from .paths import base_path, next_paths, result_schema
from .schema_walk import SchemaWalk

MOST: Final = 500
"""The most completions of one place."""

_PATH_SECTIONS: Final = frozenset({"outputParameters", "with", "mappings"})
_OPEN_TAG: Final = re.compile(r"\{\{([\w.-]*)$")


@dataclass(frozen=True, slots=True)
class Completion:
    """A text that can be written in the place of the text from `start` to `end`.

    `kind` is that of the protocol: "operation", "function", "namespace", "secret", "input", "key", "value" or "path".
    """

    text: str
    kind: str
    start: int
    end: int
    detail: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The last check with a plan, and functions that return the schema of the language, and the check of a text."""

    last: Check
    walk: Callable[[], SchemaWalk]
    check: Callable[[str], Check]

    @property
    def plan(self) -> Plan | None:
        """The last plan of the document."""
        return self.last.plan


def completions(insertion: Insertion, known: Knowledge, after: str) -> list[Completion]:
    """Return the completions of what is being written; `after` is the text behind the cursor."""
    return list(islice(_completions(insertion, known, after), MOST))


def _completions(item: Insertion, known: Knowledge, after: str) -> Iterator[Completion]:
    if not item.is_key and (tag := _OPEN_TAG.search(item.before)):
        yield from _tags(item, known.plan, tag[1], after)
        return
    if not item.is_key and (named := _named(item, known)) is not None:
        yield from named
        return
    schema = known.walk()
    if item.is_key or schema.is_mapping(item.data, item.loc):
        yield from _keys(item, schema)
    if not item.is_key:
        quote = item.before[:1] if item.before[:1] in ("'", '"') else ""
        for value in schema.values(item.data, item.loc):
            yield Completion(f"{quote}{value}{quote}", "value", item.start, item.end, label=value)


def _named(item: Insertion, known: Knowledge) -> Iterable[Completion] | None:
    """Return the completions of a value that is a name or a path, or None for other values."""
    key, plan = last_key(item.loc), known.plan
    if item.before.lstrip("'\"").startswith("$") and not _PATH_SECTIONS.isdisjoint(item.loc):
        return _paths(item, known.check(item.text))
    if is_in_include(item.loc) and key in NAMED_KEYS:
        check = known.check(item.text)
        # An unfinished name may leave nothing that is valid.
        names = include_names(known.last if check.plan is None else check, item.source, item.loc)
        return [Completion(name, NAMED_KEYS[key], item.start, item.end, detail) for name, detail in names.items()]
    if key not in (CALL, REF, TARGET):
        return None
    if plan is None:
        return ()
    if key == CALL:
        return _operations(plan, item)
    if key == REF:
        named = [(name, function.description or "") for name, function in functions(plan.loaded)]
        return [Completion(name, "function", item.start, item.end, detail) for name, detail in named]
    return [
        Completion(consumer.namespace, "namespace", item.start, item.end, consumer.type)
        for consumer in plan.loaded.capability.consumes
    ]


def _operations(plan: Plan, item: Insertion) -> Iterator[Completion]:
    counts: dict[str, int] = {}
    for operation in plan.consumed:
        counts[operation.names[0]] = counts.get(operation.names[0], 0) + 1
    seen: set[str] = set()
    for operation in plan.consumed:
        name = operation.names[0] if counts[operation.names[0]] == 1 else operation.names[-1]
        if name not in seen:
            seen.add(name)
            yield Completion(name, "operation", item.start, item.end, request_line(operation))


def request_line(operation: ConsumedOperation) -> str:
    """Return the method and URL template of an operation's request."""
    described = operation.describe()
    words = (described.get("method") or operation.method, described.get("url") or operation.path)
    return " ".join(str(word) for word in words if word)


def _tags(item: Insertion, plan: Plan | None, before: str, after: str) -> Iterator[Completion]:
    """Yield the secrets and inputs that a template can name."""
    position = item.start + len(item.before)
    closing = "" if after.startswith("}}") else "}}"
    for name in input_names(item.data, item.loc):
        yield Completion(name + closing, "input", position - len(before), position, "input", name)
    for namespace, variables in plan.loaded.binds.namespaces.items() if plan else ():
        for variable in variables:
            name = f"{namespace}.{variable}" if namespace else variable
            yield Completion(name + closing, "secret", position - len(before), position, "secret", name)


def _keys(item: Insertion, schema: SchemaWalk) -> Iterator[Completion]:
    loc = item.loc[:-1] if item.is_key else item.loc
    parent = value_at(item.data, loc)
    present = {key for key in parent if not is_marked(key)} if isinstance(parent, dict) else set()
    for name, description in schema.keys(item.data, loc).items():
        if name not in present:
            text = name if item.has_colon else f"{name}: "
            yield Completion(text, "key", item.start, item.end, description, name)


def _paths(item: Insertion, check: Check) -> Iterator[Completion]:
    quote = item.before[:1] if item.before[:1] in ("'", '"') else ""
    before = item.before.removeprefix(quote)
    base = base_path(item.data, item.loc)
    schema = None if check.plan is None else _source_schema(check.plan, unit_at(check, item.source, item.loc), item)
    for path, description in () if schema is None else next_paths(schema, base + before[1:]):
        yield Completion(f"${path[len(base) :]}", "path", item.start + len(quote), item.end, description)


def _source_schema(plan: Plan, unit: Unit, item: Insertion) -> Mapping[str, Any] | None:
    """Return the schema of the data that paths at a place lead into, if it is known."""
    operation = operation_at(plan, unit)
    if operation is None:
        consumed = next((found for found in plan.consumed if found.spec in unit.models), None)
        return None if consumed is None or consumed.output_schema is None else consumed.output_schema.data
    steps = getattr(operation.spec, "steps", ())
    if not steps:
        is_result = "outputParameters" in item.loc and len(operation.upstream) == 1
        return result_schema(operation.upstream[0]) if is_result else None
    properties: dict[str, Any] = {step.name: {"description": f"result of step '{step.name}'"} for step in steps}
    if len(steps) == len(operation.upstream):
        for step, upstream in zip(steps, operation.upstream, strict=True):
            properties[step.name] |= result_schema(upstream) or {}
    return {"properties": properties}
