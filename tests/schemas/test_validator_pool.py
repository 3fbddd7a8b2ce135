"""Schemas of one document that are compiled together check values as if each was compiled by itself."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host.capability.spec import InputSpec
from adapter_host.document.source import Source
from adapter_host.errors import Problem
from adapter_host.schemas.resolve import SchemaResolver
from adapter_host.schemas.schema import Schema
from adapter_host.schemas.validator import compile_validator
from adapter_host.schemas.validator_pool import ValidatorPool

NAMED = {
    "node": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 3},
            "left": {"$ref": "#/x-schemas/node"},
            "leaf": {"$ref": "#/x-schemas/leaf"},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    "leaf": {"type": "array", "items": {"$ref": "#/x-schemas/code"}, "maxItems": 2},
    "code": {"type": "string", "pattern": "^[a-z]+$"},
    "plain": {"type": "object", "properties": {"next": {"$ref": "#/x-schemas/plain"}, "count": {"type": "integer"}}},
    "secret": {"type": "object", "properties": {"id": {"type": "integer", "readOnly": True}}, "required": ["id"]},
}
ROOTS: list[Any] = [
    *({"$ref": f"#/x-schemas/{name}"} for name in NAMED),
    {"type": "array", "items": {"$ref": "#/x-schemas/node"}},
    {"type": "array", "items": {"$ref": "#/x-schemas/plain"}, "minItems": 1},
    {"anyOf": [{"$ref": "#/x-schemas/leaf"}, {"type": "null"}]},
    {"not": {"$ref": "#/x-schemas/secret"}},
    {"type": "string"},
    True,
    False,
]
VALUES = [
    None,
    "abc",
    [],
    ["a", "b"],
    ["a", "B"],
    ["a", "b", "c"],
    {},
    {"id": 1},
    {"name": "a"},
    {"name": "long"},
    {"name": "a", "left": {"name": "b", "leaf": ["x"]}},
    {"name": "a", "left": {"name": "b", "leaf": ["X"]}},
    {"name": "a", "other": 1},
    {"next": {"next": {"count": 1}}},
    {"next": {"next": {"count": "1"}}},
    [{"name": "a"}, {"leaf": []}],
    [{"next": {"count": 1.5}}],
]


@pytest.fixture
def resolver() -> SchemaResolver:
    problems: list[Problem] = []
    source = Source.from_data({"roots": ROOTS, "x-schemas": NAMED})
    found = SchemaResolver(source, {}, problems.append)
    assert problems == []
    return found


def resolved(resolver: SchemaResolver, number: int) -> Schema:
    schema = resolver.resolve(("roots", number), "readOnly")
    assert schema is not None
    return schema


def check_all(schemas: list[Schema]) -> None:
    for schema in schemas:
        alone = compile_validator(schema.checked)
        assert [schema.validate(value) for value in VALUES] == [alone(value) for value in VALUES]


def test_schemas_that_were_prepared_are_compiled_together(resolver: SchemaResolver) -> None:
    schemas = [resolved(resolver, number) for number in range(len(ROOTS))]
    for schema in schemas:
        schema.prepare()
    resolver.validators["readOnly"].compile()
    check_all(schemas)


def test_a_schema_that_is_asked_first_is_compiled_with_those_before(resolver: SchemaResolver) -> None:
    schemas = [resolved(resolver, number) for number in range(len(ROOTS))]
    for schema in schemas[::2]:
        schema.prepare()
    check_all(schemas[::-1])


def test_directions_have_definitions_of_their_own() -> None:
    items = {"type": "array", "items": {"$ref": "#/x-schemas/secret"}}
    source = Source.from_data({"roots": [items, [items]], "x-schemas": NAMED})
    problems: list[Problem] = []
    both = SchemaResolver(source, {}, problems.append)
    request, response = both.resolve(("roots", 0), "readOnly"), both.resolve(("roots", 0), "writeOnly")
    assert request is not None
    assert response is not None
    for schema in (request, response):
        schema.prepare()
    assert request.validate([{}]) == []
    assert [found.message for found in response.validate([{}])] == ["is required"]


def test_a_schema_is_compiled_once() -> None:
    pool = ValidatorPool()
    defs: dict[str, Any] = {
        f"s{number}": {"properties": {"next": {"$ref": f"#/$defs/s{number - 1}"}}} for number in range(1, 20)
    }
    defs["s0"] = {"type": "integer"}
    schemas = [{"items": {"$ref": f"#/$defs/s{number}"}, "$defs": defs} for number in range(20)]
    for schema in schemas:
        pool.add(schema)
    pool.compile()
    first = [pool.validator(schema) for schema in schemas]
    pool.compile()
    assert [pool.validator(schema) for schema in schemas] == first
    assert pool.validator(schemas[0])([1]) == []
    assert pool.validator(schemas[1])([{"next": "a"}]) != []


def test_inputs_of_a_model_have_no_pool() -> None:
    spec = InputSpec.model_validate({"name": "body", "in": "body", "x-schema": {"type": "integer"}})
    assert spec.json_schema is not None
    spec.json_schema.prepare()
    assert spec.json_schema.validate(1) == []
