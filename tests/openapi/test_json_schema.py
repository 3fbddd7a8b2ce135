"""Schemas of documents in each version, as JSON Schema 2020-12."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter_host.schemas.validator import schema_mistakes
from tests.support.imported import consumed_operations, import_document, inputs_of

Data = dict[str, Any]


def body_of(schema: Any, folder: Path, version: str = "3.0.3", **schemas: Any) -> tuple[Data, Data, list[str]]:
    """Return the input for a JSON body with a schema, the shared schemas, and the warnings."""
    content = {"application/json": {"schema": schema}}
    operation = {"operationId": "a", "requestBody": {"content": content}}
    document = {
        "openapi": version,
        "info": {"title": "T", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {"/a": {"post": operation}},
        "components": {"schemas": schemas},
    }
    capability, warnings = import_document(document, folder)
    (found,) = consumed_operations(capability).values()
    return inputs_of(found)["body"], capability.get("x-schemas", {}), warnings


def property_of(schema: Any, folder: Path, version: str = "3.0.3", **schemas: Any) -> Any:
    """Return the schema of a property of a body."""
    body, _, _ = body_of({"type": "object", "properties": {"p": schema}}, folder, version=version, **schemas)
    return body["x-schema"]["properties"]["p"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        (
            {"oneOf": [{"type": "string"}], "nullable": True, "description": "d"},
            {"description": "d", "anyOf": [{"oneOf": [{"type": "string"}]}, {"type": "null"}]},
        ),
        ({"nullable": True}, {}),
        ({"minimum": 1, "exclusiveMinimum": True, "maximum": 2}, {"exclusiveMinimum": 1, "maximum": 2}),
        ({"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}),
        ({"maximum": 1, "exclusiveMaximum": True}, {"exclusiveMaximum": 1}),
        ({"exclusiveMaximum": True}, {}),
        ({"type": "file"}, {"type": "string", "format": "binary"}),
        ({"type": "string", "example": "x"}, {"type": "string", "examples": ["x"]}),
        ({"type": "string", "example": "x" * 300}, {"type": "string"}),
        ({"type": "array", "items": [{"type": "string"}]}, {"type": "array", "prefixItems": [{"type": "string"}]}),
        ({"type": "string", "xml": {"name": "a"}, "externalDocs": {}, "x-a": 1}, {"type": "string"}),
        ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
        ({"type": "integer", "maximum": 10**400, "minimum": 2**70}, {"type": "integer", "minimum": float(2**70)}),
        ({"enum": [1, None, "a", 2**70]}, {"enum": [1, None, "a", float(2**70)]}),
        ({"type": ["string", "integer"]}, {"type": ["string", "integer"]}),
        ({"type": "any"}, {}),
        ({"type": "string", "required": True, "minLength": "3"}, {"type": "string"}),
        ({"default": {"a": [1, None]}, "readOnly": False, "title": "T"}, {"default": {"a": [1, None]}, "title": "T"}),
    ],
)
def test_keywords(schema: Any, expected: Any, tmp_path: Path) -> None:
    assert property_of(schema, tmp_path) == expected
    assert schema_mistakes(expected) == []


def test_reference_with_other_keywords(tmp_path: Path) -> None:
    schema = {"$ref": "#/components/schemas/A", "description": "d", "maxLength": 3}
    reference = {"$ref": "#/x-schemas/A", "description": "d"}
    assert property_of(schema, tmp_path, A={"type": "string"}) == reference
    assert property_of(schema, tmp_path, "3.1.0", A={"type": "string"}) == {**reference, "maxLength": 3}


def test_references_are_shared_once(tmp_path: Path) -> None:
    pair = {"type": "array", "items": {"$ref": "#/components/schemas/A"}}
    schema = {"type": "object", "properties": {"one": pair, "two": {"$ref": "#/components/schemas/B"}}}
    shared: Data = {
        "A": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}, "b": pair}},
        "B": {"$ref": "#/components/schemas/A"},
        "Unused": {"type": "string"},
    }
    body, schemas, warnings = body_of(schema, tmp_path, **shared)
    assert warnings == []
    assert body["x-schema"]["properties"]["two"] == {"$ref": "#/x-schemas/A"}
    assert schemas == {
        "A": {
            "type": "object",
            "properties": {
                "a": {"$ref": "#/x-schemas/A"},
                "b": {"type": "array", "items": {"$ref": "#/x-schemas/A"}},
            },
        }
    }


def test_references_to_other_places(tmp_path: Path) -> None:
    schema = {
        "properties": {
            "a": {"$ref": "#/components/schemas/List%C2%ABA%C2%BB"},
            "b": {"$ref": "#/components/schemas/List%C2%ABA%C2%BB/properties/x~1y"},
            "c": {"$ref": "#there"},
            "d": {"$ref": "#/components/schemas/Missing"},
            "e": {"$ref": "#/info"},
            "f": {"$ref": "#/components/schemas/Circle"},
        }
    }
    shared: Data = {
        "List«A»": {"properties": {"x/y": {"$anchor": "there", "type": "integer"}}},
        "Circle": {"$ref": "#/components/schemas/Circle"},
    }
    body, schemas, warnings = body_of(schema, tmp_path, "3.1.0", **shared)
    properties = body["x-schema"]["properties"]
    assert properties["a"] == {"$ref": "#/x-schemas/List-A"}
    assert properties["b"] == properties["c"] == {"$ref": "#/x-schemas/x-y"}
    assert schemas["x-y"] == {"type": "integer"}
    assert (properties["d"], properties["f"]) == ({}, {})
    assert len(warnings) == 2


def test_discriminator(tmp_path: Path) -> None:
    schema = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind", "mapping": {"cat": "Cat", "dog": "#/components/schemas/Dog"}},
    }
    kinds: Data = {name: {"type": "object", "properties": {"kind": {"const": name}}} for name in ("Cat", "Dog")}
    body, schemas, _ = body_of(schema, tmp_path, "3.1.0", **kinds)
    assert body["x-schema"]["discriminator"] == {
        "propertyName": "kind",
        "mapping": {"cat": "#/x-schemas/Cat", "dog": "#/x-schemas/Dog"},
    }
    assert schemas.keys() == {"Cat", "Dog"}


def test_schemas_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"A": {"type": "integer"}}')
    schema = {"properties": {"a": {"$ref": "#/components/schemas/A"}, "b": {"$ref": "other.json#/A"}}}
    body, schemas, _ = body_of(schema, tmp_path, A={"type": "string"})
    assert body["x-schema"]["properties"] == {"a": {"$ref": "#/x-schemas/A"}, "b": {"$ref": "#/x-schemas/A-2"}}
    assert schemas == {"A": {"type": "string"}, "A-2": {"type": "integer"}}


def test_deep_schema_is_not_lost(tmp_path: Path) -> None:
    schema: Any = {"type": "string", "enum": ["deep"]}
    for level in range(60):
        schema = {"type": "object", "properties": {f"l{level}": schema}}
    body, schemas, warnings = body_of(schema, tmp_path)
    assert warnings == []
    assert '"deep"' not in str(body)
    assert "deep" in str(schemas)
    assert len(schemas) == 3


def test_pattern_that_is_not_supported(tmp_path: Path) -> None:
    body, _, warnings = body_of({"type": "string", "pattern": "a(?<=b)"}, tmp_path)
    assert body["x-schema"] == {"pattern": "a(?<=b)"}
    assert len(warnings) == 1
    assert warnings[0].endswith("; not checked")


def test_text_in_base64_is_no_file(tmp_path: Path) -> None:
    schema = {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}
    body, _, _ = body_of(schema, tmp_path, "3.1.0")
    assert body["x-schema"] == {"items": {"format": "byte", "type": "string"}}


@pytest.mark.parametrize("schema", [True, False, {"not": {}}, 7, None, [], {"$ref": 7}])
def test_unusual_schemas(schema: Any, tmp_path: Path) -> None:
    body, _, _ = body_of(schema, tmp_path, "3.1.0")
    assert body["name"] == "body"
