"""JSONPaths into data of a known schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapter_host.capability.spec import OutputSpec
from adapter_host.compiler.values.output_schemas import describe_mapped_results
from adapter_host.compiler.values.outputs import is_passthrough
from adapter_host.document.nodes import Loc
from adapter_host.operation.operation import ConsumedOperation
from adapter_host.schemas.references import DEFS, DEFS_POINTER

from .cursor import value_at

_STEP: Final = re.compile(r"\.([\w$-]+)|\[(\d+|\*)\]|\['([^']*)'\]")
_NAME: Final = re.compile(r"[A-Za-z_][\w-]*")
_MOST_REFERENCES: Final = 20

Schema = Mapping[str, Any]


def result_schema(operation: ConsumedOperation) -> Schema | None:
    """Return the schema of an operation's results, if it is known."""
    mapped = [output for output in operation.outputs if output.name and not _is_passed_through(output)]
    if mapped:
        return describe_mapped_results(mapped).schema
    return None if operation.output_schema is None else operation.output_schema.data


def _is_passed_through(output: OutputSpec) -> bool:
    """Return whether an output of a consumed operation, whose `value` may be a path, is the response unchanged."""
    path = output.value if output.mapping is None else output.mapping
    return is_passthrough(output.model_copy(update={"mapping": path if isinstance(path, str) else None}))


def base_path(document: Any, loc: Loc) -> str:
    """Return the path of the value that paths at a place start from: those below an array are of its items."""
    start = max((index for index, key in enumerate(loc) if key == "outputParameters"), default=len(loc))
    path = "$"
    for index in range(start + 2, len(loc) - 1):
        if loc[index] not in ("properties", "items"):
            continue
        output = value_at(document, loc[:index])
        mapping = output.get("mapping") if isinstance(output, dict) else None
        path += mapping.removeprefix("$").rstrip(".") if isinstance(mapping, str) else ""
        path += "[*]" if loc[index] == "items" else ""
    return path


def next_paths(schema: Schema, before: str) -> Iterator[tuple[str, str]]:
    """Yield the paths that continue `before`, a path up to the cursor, with the descriptions of their values."""
    complete = re.sub(r"[.\[][^.\[\]]*$", "", before) if before != "$" else before
    found, position = schema, 1
    while position < len(complete):
        step = _STEP.match(complete, position)
        child = step and _child(schema, found, step)
        if not child:
            return
        found, position = child, step.end() if step else position
    for part in _resolved(schema, found):
        for name, value in part.get("properties", {}).items():
            path = f"{complete}.{name}" if _NAME.fullmatch(name) else f"{complete}['{name}']"
            yield path, str(value.get("description", "")) if isinstance(value, Mapping) else ""
        if isinstance(part.get("items"), Mapping):
            yield f"{complete}[*]", "every item"
            yield f"{complete}[0]", "the first item"


def _child(root: Schema, schema: Schema, step: re.Match[str]) -> Schema | None:
    for part in _resolved(root, schema):
        child = part.get("items") if step[2] else part.get("properties", {}).get(step[1] or step[3])
        if isinstance(child, Mapping):
            return child
    return None


def _resolved(root: Schema, schema: Schema, depth: int = 0) -> Iterator[Schema]:
    if depth > _MOST_REFERENCES or not isinstance(schema, Mapping):
        return
    yield schema
    if isinstance(reference := schema.get("$ref"), str):
        yield from _resolved(root, root.get(DEFS, {}).get(reference.removeprefix(DEFS_POINTER), {}), depth + 1)
    for key in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(key, ()):
            yield from _resolved(root, part, depth + 1)
