"""The types that schemas allow by their type, their values and their alternatives."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host.schemas.allowed_types import disjoint_types, types_of
from adapter_host.schemas.references import reference_to


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_types_of_schemas_that_multiply(keyword: str) -> None:
    defs: dict[str, Any] = {f"A{level}": {keyword: [reference_to(f"A{level + 1}")] * 4} for level in range(40)}
    defs["A40"] = {"type": "string"}
    assert types_of(reference_to("A0"), defs) == {"string"}


def test_types_of_a_schema_within_itself() -> None:
    defs = {"A": {"oneOf": [{"$ref": "#/$defs/A"}, {"type": "object"}], "allOf": [{"type": ["object", "null"]}]}}
    assert types_of(reference_to("A"), defs) == {"object", "null"}


def test_references_in_a_circle_have_no_types() -> None:
    defs = {"A": reference_to("B"), "B": reference_to("A")}
    assert types_of(reference_to("A"), defs) == frozenset()


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"enum": ["a", 1, None]}, {"string", "integer", "null"}),
        ({"const": 2.5, "enum": [2.5, "a"]}, {"number"}),
        ({"type": ["string", "null"], "enum": ["a"]}, {"string"}),
        ({"anyOf": [{"const": True}, {"type": "null"}]}, {"boolean", "null"}),
        ({"type": ["number", "array"], "anyOf": [{"type": "integer"}, {"type": "array"}]}, {"integer", "array"}),
        ({"type": "number", "enum": [1, 2.5]}, {"number"}),
        ({"type": "integer", "const": 1.0}, {"integer"}),
        ({"properties": {}}, set()),
    ],
)
def test_values_have_types(schema: Any, types: set[str]) -> None:
    assert types_of(schema, {}) == types


def test_types_can_be_inferred() -> None:
    schema = {"anyOf": [{"properties": {}}, {"items": {}}, {"type": "null"}]}
    assert types_of(schema, {}) == frozenset()
    assert types_of(schema, {}, infers=True) == {"object", "array", "null"}


@pytest.mark.parametrize(
    ("schema", "disjoint"),
    [
        ({"type": "array", "allOf": [{"type": "string"}]}, ({"array"}, {"string"})),
        ({"$ref": "#/$defs/A"}, ({"string", "null"}, {"object"})),
        ({"type": "number", "enum": [1]}, None),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, None),
        (True, None),
    ],
)
def test_types_that_exclude_each_other(schema: Any, disjoint: Any) -> None:
    defs = {"A": {"allOf": [{"type": ["string", "null"]}, {"type": "object"}]}}
    assert disjoint_types(schema, defs) == disjoint
