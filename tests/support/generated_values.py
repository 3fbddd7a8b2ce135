"""Generated schemas, values that they allow, and changes that make these wrong in one place."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

Made = tuple[dict[str, Any], Any, list[tuple[tuple[Any, ...], Any]]]
"""A schema, a right value, and changes that make it wrong: a path, and the wrong value there, or `...` for none."""

NAMES = st.sampled_from(["name", "id", "lines", "a b", "x-y", "$ref", "Größe"])


@st.composite
def schemas_and_values(draw: st.DrawFn, depth: int = 0) -> Made:
    kinds = ["string", "integer", "number", "boolean", "enum"] + (["object", "array"] * 2 if depth < 3 else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "object":
        return draw(objects(depth))
    if kind == "array":
        schema, value, changes = draw(schemas_and_values(depth + 1))
        count = draw(st.integers(1, 3))
        inner = [((index, *path), wrong) for index in range(count) for path, wrong in changes]
        return {"type": "array", "items": schema, "maxItems": 3}, [value] * count, [*inner, ((), [value] * 4), ((), {})]
    if kind == "string":
        most = draw(st.integers(1, 8))
        text = draw(st.text(st.characters(codec="utf-8"), max_size=most))
        return {"type": "string", "maxLength": most}, text, [((), "x" * (most + 1)), ((), 1), ((), None)]
    if kind == "boolean":
        return {"type": "boolean"}, draw(st.booleans()), [((), "true"), ((), 0)]
    if kind == "enum":
        values = draw(st.lists(st.sampled_from(["a", "b", 1, 2.5, None]), min_size=1, unique=True))
        return {"enum": values}, draw(st.sampled_from(values)), [((), "none of them"), ((), [])]
    number = draw(st.integers(-(2**53), 2**53) if kind == "integer" else st.floats(-1e9, 1e9))
    wrong: list[tuple[tuple[Any, ...], Any]] = [((), "1"), ((), True), ((), number + abs(number) + 1)]
    return {"type": kind, "maximum": number}, number, wrong


@st.composite
def objects(draw: st.DrawFn, depth: int) -> Made:
    properties, value, changes = {}, {}, []
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        schema, inner, inner_changes = draw(schemas_and_values(depth + 1))
        properties[name], value[name] = schema, inner
        changes += [((name, *path), wrong) for path, wrong in inner_changes]
        changes.append(((name,), ...))
    changes.append((("unknown",), 1))
    shared = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return shared, value, changes


def changed(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    """Return a value with a wrong one at a path; without it for `...`."""
    if not path:
        return wrong
    copied = copy.copy(value)
    if len(path) == 1 and wrong is ...:
        del copied[path[0]]
    else:
        copied[path[0]] = changed(copied[path[0]] if len(path) > 1 else None, path[1:], wrong)
    return copied
