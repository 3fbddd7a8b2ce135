"""The compiled validation of outputs agrees with JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from adapter_host_mcp.features.output_schema import compile_schema

TYPES = ["string", "integer", "number", "boolean", "array", "object", "null"]
NAMES = st.sampled_from(["a", "b"])

types = st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True)
schemas: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.fixed_dictionaries({}, optional={"type": types, "description": st.just("words")}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": types,
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "items": inner,
        },
    ),
    max_leaves=6,
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(schemas, values)
def test_agrees_with_jsonschema(schema: dict[str, Any], value: Any) -> None:
    assert (compile_schema(schema)(value) is None) is Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"rows": [{"n": 1}]}, None),
        ({"rows": None}, None),
        ([], ""),
        ({"rows": {}}, ".rows"),
        ({"rows": [{"n": 1}, {"n": "1"}]}, ".rows[1].n"),
        ({"rows": [{"n": True}]}, ".rows[0].n"),
    ],
)
def test_path_of_the_violation(value: Any, path: str | None) -> None:
    row = {"type": "object", "properties": {"n": {"type": "number"}}}
    schema = {"type": "object", "properties": {"rows": {"type": ["array", "null"], "items": row}}}
    assert compile_schema(schema)(value) == path
