"""The words beside an imported `x-schema` agree with it: inputs accept the values of the document's schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_host import ArgumentError, Host, Settings
from adapter_host.operation.inputs import Input
from tests.support.imported import import_document

Data = dict[str, Any]

STRING: Data = {"type": "string"}
ARRAY: Data = {"type": "array", "items": {"type": "string"}}
NULL: Data = {"type": "null"}
PROBES: tuple[Any, ...] = (None, True, False, 0, 1, 1.0, 2.5, "", "a", "abc", [], ["a"], [1], {}, {"p": "a"}, {"p": 1})


def inputs_of(schema: Any, folder: Path, version: str = "3.1.0", **schemas: Any) -> tuple[list[Data], Host, list[str]]:
    """Return the inputs of a parameter and of a body with a schema, as they are written; the host, and the warnings."""
    operation = {
        "operationId": "a",
        "parameters": [{"name": "x", "in": "query", "schema": schema}],
        "requestBody": {"content": {"application/json": {"schema": schema}}},
    }
    document = {
        "openapi": version,
        "info": {"title": "T", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {"/a": {"post": operation}},
        "components": {"schemas": schemas},
    }
    capability, warnings = import_document(document, folder)
    host = Host(capability, settings=Settings(environment={}))
    assert host.warnings == ()
    (operation,) = capability["capability"]["consumes"][0]["resources"][0]["operations"]
    return operation["inputParameters"], host, warnings


def loaded_inputs(host: Host) -> tuple[Input, ...]:
    (consumed,) = {operation for plan in host.plans for operation in plan.consumed}
    return tuple(item for item in consumed.inputs if item.name in ("x", "body"))


def accepts(item: Input, value: Any) -> bool:
    try:
        item.check(value)
    except ArgumentError:
        return False
    return True


@pytest.mark.parametrize(
    ("schema", "type_name", "x_schema"),
    [
        ({"type": "array", "allOf": [STRING]}, None, {"type": "array", "allOf": [STRING]}),
        ({"enum": ["a"], "allOf": [{"type": "integer"}]}, None, {"enum": ["a"], "allOf": [{"type": "integer"}]}),
        ({"allOf": [STRING, ARRAY]}, None, {"allOf": [STRING, ARRAY]}),
        ({"type": "array", "$ref": "#/components/schemas/S"}, None, {"type": "array", "$ref": "#/x-schemas/S"}),
        ({"type": "string", "anyOf": [STRING, NULL]}, "string", {"type": "string", "anyOf": [STRING, NULL]}),
        ({"anyOf": [{"enum": ["a"]}, NULL]}, "string", {"anyOf": [{"enum": ["a"]}, NULL]}),
        ({"anyOf": [{"properties": {"p": STRING}}, NULL]}, None, {"anyOf": [{"properties": {"p": STRING}}, NULL]}),
        ({"type": ["string", "null"]}, "string", {"type": ["string", "null"]}),
        ({"type": ["string", "integer"]}, None, {"type": ["string", "integer"]}),
        ({"oneOf": [NULL, {"type": "number"}]}, "number", {"oneOf": [NULL, {"type": "number"}]}),
        ({"type": "number", "anyOf": [{"type": "integer"}]}, "number", {"anyOf": [{"type": "integer"}]}),
        ({"$ref": "#/components/schemas/S"}, "string", {"$ref": "#/x-schemas/S"}),
        ({"$ref": "#/components/schemas/N"}, "string", {"$ref": "#/x-schemas/N"}),
        ({"type": "string", "minLength": 1, "allOf": [{"maxLength": 2}]}, "string", {"allOf": [{"maxLength": 2}]}),
        ({"const": "a"}, "string", {"const": "a"}),
        ({"$ref": "#/components/schemas/L"}, "string", {"$ref": "#/x-schemas/L"}),
        ({"$ref": "#/components/schemas/D"}, "string", {"$ref": "#/x-schemas/L"}),
    ],
)  # fmt: skip
def test_words_beside_a_schema(schema: Data, type_name: str | None, x_schema: Data, tmp_path: Path) -> None:
    shared: Data = {
        "S": STRING,
        "N": {"type": ["string", "null"]},
        "L": {"$ref": "#/components/schemas/S", "minLength": 2},
        "D": {"$ref": "#/components/schemas/L", "description": "long"},
    }
    inputs, host, _ = inputs_of(schema, tmp_path, **shared)
    for item in inputs:
        assert (item.get("type"), item["x-schema"]) == (type_name, x_schema)
    validator = jsonschema_rs.validator_for({**schema, "components": {"schemas": shared}})
    for loaded in loaded_inputs(host):
        assert [accepts(loaded, probe) for probe in PROBES] == [validator.is_valid(probe) for probe in PROBES]


@pytest.mark.parametrize(
    ("schema", "accepted"),
    [
        ({"type": "string", "nullable": True}, (None, "", "a", "abc")),
        ({"enum": ["a"], "nullable": True}, (None, "a")),
        ({"allOf": [{"$ref": "#/components/schemas/S"}], "nullable": True}, (None, "", "a", "abc")),
        ({"properties": {"p": STRING}, "nullable": True}, (None, {}, {"p": "a"})),
    ],
)
def test_nullable_schemas_accept_null(schema: Data, accepted: tuple[Any, ...], tmp_path: Path) -> None:
    _, host, warnings = inputs_of(schema, tmp_path, "3.0.3", S=STRING)
    for loaded in loaded_inputs(host):
        for probe in accepted:
            assert accepts(loaded, probe), probe
    assert warnings == []


def test_schema_that_no_value_satisfies_is_a_warning(tmp_path: Path) -> None:
    _, host, warnings = inputs_of({"$ref": "#/components/schemas/A"}, tmp_path, A={"allOf": [STRING, ARRAY]})
    reason = "no value is valid, as it must be both a string and an array; imported as it is"
    places = ("parameters/0/schema", "requestBody/content/application~1json/schema")
    assert warnings == [f"{', '.join(f'#/paths/~1a/post/{place}' for place in places)}: {reason}"]
    assert not any(accepts(item, probe) for item in loaded_inputs(host) for probe in PROBES)


# Documents of many shapes


def kept(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(schemas, min_size=1, max_size=3, unique_by=lambda part: json.dumps(part, sort_keys=True))


TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
VALUES = st.lists(st.sampled_from(["a", "abc", 1, 2.5, True, None]), min_size=1, max_size=3, unique_by=repr)
KEYWORDS = st.one_of(
    st.builds(lambda name: {"type": name}, TYPES),
    st.builds(lambda names: {"type": names}, st.lists(TYPES, min_size=2, max_size=3, unique=True)),
    st.builds(lambda values: {"enum": values}, VALUES),
    st.builds(lambda values: {"const": values[0]}, VALUES),
    st.builds(lambda name, values: {"type": name, "enum": values}, TYPES, VALUES),
    st.sampled_from([{}, {"type": "string", "minLength": 1}, {"type": "string", "pattern": "^a", "maxLength": 2}]),
    st.sampled_from([{"type": "object", "properties": {"p": {"type": "string"}}}, ARRAY, {"minLength": 2}]),
)
LEAVES = st.one_of(st.booleans(), KEYWORDS)


def composed(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keywords = st.dictionaries(st.sampled_from(["allOf", "anyOf", "oneOf"]), kept(parts), min_size=1, max_size=2)
    return st.one_of(keywords, st.builds(lambda leaf, made: {**leaf, **made}, KEYWORDS, keywords))


def referring(*names: str) -> st.SearchStrategy[Any]:
    references = st.sampled_from([{"$ref": f"#/components/schemas/{name}"} for name in names])
    beside = st.builds(
        lambda leaf, made: {**leaf, **made}, LEAVES.filter(lambda leaf: isinstance(leaf, dict)), references
    )
    return st.recursive(st.one_of(LEAVES, references, beside), composed, max_leaves=5)


SCHEMAS = st.recursive(LEAVES, composed, max_leaves=5)


@given(used=referring("A", "B"), a=referring("B"), b=SCHEMAS)
@settings(max_examples=25, deadline=None)
def test_imported_inputs_accept_what_the_document_accepts(
    used: Any, a: Any, b: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, host, _ = inputs_of(used, tmp_path_factory.getbasetemp(), A=a, B=b)
    whole = {"components": {"schemas": {"A": a, "B": b, "used": used}}, "$ref": "#/components/schemas/used"}
    validator = jsonschema_rs.validator_for(whole)
    expected = [validator.is_valid(probe) for probe in PROBES]
    for loaded in loaded_inputs(host):
        assert [accepts(loaded, probe) for probe in PROBES] == expected
