"""Schemas of a document become self-contained; what is wrong in them is reported with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, ProblemsError
from adapter_host.document.source import Source
from adapter_host.errors import Problem
from adapter_host.schemas.resolve import SchemaResolver, resolve_schema
from adapter_host.schemas.schema import Schema

HEAD = """\
naftiko: 1.0.0-alpha2
x-schemas:
  Pet:
    type: object
    properties:
      id: {type: integer, readOnly: true}
      password: {type: string, writeOnly: true}
      name: {$ref: '#/$defs/name'}
      parent: {$ref: '#'}
      friends: {type: array, items: {$ref: '#/x-schemas/Pet'}}
    required: [id, password, name]
    $defs:
      name: {type: string, maxLength: 5}
  Size: {enum: [small, large]}
  Wrapped: {$ref: '#/x-schemas/Size'}
  Loop: {$ref: '#/x-schemas/Loop'}
"""


def resolved(schema: str, folder: Path | None = None, hidden: Any = "readOnly") -> tuple[Schema | None, list[Problem]]:
    problems: list[Problem] = []
    source = Source.parse(f"{HEAD}schema:\n{schema}", str((folder or Path()) / "capability.yaml"))
    return SchemaResolver(source, {}, problems.append).resolve(("schema",), hidden), problems


def data_of(schema: str, **keys: Any) -> Any:
    found, problems = resolved(schema, **keys)
    assert problems == []
    assert found is not None
    return found.data


def test_references_are_bundled() -> None:
    data = data_of("  type: array\n  items: {$ref: '#/x-schemas/Pet'}\n")
    assert data["items"] == {"$ref": "#/$defs/Pet"}
    assert data["$defs"]["Pet"] == {
        "type": "object",
        "properties": {
            "password": {"type": "string", "writeOnly": True},
            "name": {"$ref": "#/$defs/name"},
            "parent": {"$ref": "#/$defs/Pet"},
            "friends": {"type": "array", "items": {"$ref": "#/$defs/Pet"}},
        },
        "required": ["password", "name"],
    }
    assert data["$defs"]["name"] == {"type": "string", "maxLength": 5}


def test_schema_that_is_a_reference_is_the_schema() -> None:
    assert data_of("  $ref: '#/x-schemas/Wrapped'\n") == {"enum": ["small", "large"]}
    assert data_of("  $ref: '#/x-schemas/Pet/properties/friends'\n")["type"] == "array"
    assert data_of("  $ref: '#/x-schemas/Pet'\n")["properties"]["parent"] == {"$ref": "#/$defs/Pet"}


def test_schema_that_is_a_reference_has_the_name_of_other_references_to_it() -> None:
    found, _ = resolved("  $ref: '#/x-schemas/Pet'\n")
    assert found is not None
    assert found.name == "Pet"
    inline, _ = resolved("  type: array\n  items: {$ref: '#/x-schemas/Pet'}\n")
    assert inline is not None
    assert inline.name is None


def test_each_direction_lacks_what_the_other_has() -> None:
    request, response = (data_of("  $ref: '#/x-schemas/Pet'\n", hidden=each) for each in ("readOnly", "writeOnly"))
    assert "id" not in request["properties"]
    assert request["required"] == ["password", "name"]
    assert "password" not in response["properties"]
    assert response["required"] == ["id", "name"]


def test_hidden_property_may_be_sent() -> None:
    found, _ = resolved("  $ref: '#/x-schemas/Pet'\n")
    assert found is not None
    assert found.validate({"id": 1, "password": "x", "name": "y"}) == []
    assert [each.path for each in found.validate({"id": "x", "password": "x", "name": "y"})] == [("id",)]


def test_hidden_property_in_a_composition_is_not_required() -> None:
    composed = """\
  allOf:
    - {type: object, properties: {id: {type: integer, readOnly: true}}}
    - {required: [id, name]}
"""
    assert data_of(composed)["allOf"] == [{"type": "object", "properties": {}}, {"required": ["name"]}]


def test_own_definitions_and_anchors() -> None:
    own = """\
  type: object
  properties: {a: {$ref: '#/$defs/a~1b'}, b: {$ref: '#there'}, c: {$ref: '#/properties/a'}}
  $defs: {a/b: {type: string}, here: {$anchor: there, type: integer}}
"""
    data = data_of(own)
    assert data["properties"] == {
        "a": {"$ref": "#/$defs/a_b"},
        "b": {"$ref": "#/$defs/here"},
        "c": {"$ref": "#/$defs/a"},
    }
    assert data["$defs"] == {"a_b": {"type": "string"}, "here": {"type": "integer"}, "a": {"$ref": "#/$defs/a_b"}}


def test_values_are_not_searched_for_references() -> None:
    data = data_of("  const: {$ref: '#/nowhere'}\n  properties: {$ref: {default: {$ref: '#/nowhere'}}}\n")
    assert data["const"] == {"$ref": "#/nowhere"}
    assert data["properties"] == {"$ref": {"default": {"$ref": "#/nowhere"}}}


def test_file_beside_the_document(tmp_path: Path) -> None:
    (tmp_path / "schemas.yaml").write_text(
        "components: {schemas: {Tag: {type: string}, Tags: {type: array, items: {$ref: '#/components/schemas/Tag'}}}}"
    )
    data = data_of("  properties: {tags: {$ref: './schemas.yaml#/components/schemas/Tags'}}\n", folder=tmp_path)
    assert data["$defs"] == {"Tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}}, "Tag": {"type": "string"}}


def test_schemas_of_one_name_have_different_names(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("Pet: {type: string}")
    data = data_of("  anyOf: [{$ref: '#/x-schemas/Pet'}, {$ref: 'other.yaml#/Pet'}]\n", folder=tmp_path)
    assert [each["$ref"] for each in data["anyOf"]] == ["#/$defs/Pet", "#/$defs/Pet_2"]
    assert data["$defs"]["Pet_2"] == {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "line", "message"),
    [
        ("  $ref: '#/x-schemas/Sise'\n", 18, "refers to 'Sise', which does not exist; did you mean 'Size'?"),
        ("  items: {$ref: '#/$defs/x'}\n", 18, "refers to '$defs', which does not exist (it has: items)"),
        ("  items: {$ref: https://example.org/schema}\n", 18, "is not read: a reference names a schema"),
        ("  items: {$ref: ../other.yaml#/Pet}\n", 18, "is outside of the document's folder"),
        ("  items: {$ref: missing.yaml#/Pet}\n", 18, "cannot read 'missing.yaml'"),
        ("  items: {$ref: 7}\n", 18, "'$ref' must be text, not a number"),
        ("  items: {$ref: '#nowhere'}\n", 18, "refers to an '$anchor' that the schema does not have"),
        ("  items: {$dynamicRef: '#x'}\n", 18, "'$dynamicRef' is not supported; use '$ref'"),
        ("  $ref: '#/x-schemas/Loop'\n", 16, "the reference leads back to itself"),
        ("  type: strin\n", 18, "'type' of a JSON Schema must be one of string,"),
        (
            "  properties:\n    a:\n      required: true\n",
            20,
            "'required' of a JSON Schema must be an array (given true)",
        ),
        ("  properties: {a: text}\n", 18, "a schema must be a mapping, true or false, not text"),
        ("  minimum: low\n", 18, "'minimum' of a JSON Schema must be a number (given \"low\")"),
    ],
)
def test_mistake_is_reported_with_its_place(schema: str, line: int, message: str, tmp_path: Path) -> None:
    found, problems = resolved(schema, folder=tmp_path)
    assert found is None
    assert len(problems) == 1
    assert (problems[0].line, problems[0].warning) == (line, False)
    assert message in problems[0].message


def test_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.yaml").write_text("Pet: {type: string}")
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    _, problems = resolved("  $ref: 'link.yaml#/Pet'\n", folder=folder)
    assert "outside of the document's folder" in problems[0].message


def test_pattern_that_is_not_supported_is_a_warning() -> None:
    found, problems = resolved("  type: string\n  pattern: '(?<=a)b'\n")
    assert found is not None
    assert found.validate("x") == []
    assert [(problem.line, problem.warning) for problem in problems] == [(19, True)]
    assert problems[0].message.endswith("values are not checked against it")


def test_plain_data() -> None:
    assert resolve_schema(True).data == {}
    assert resolve_schema(False).validate(1)
    with pytest.raises(ProblemsError, match="must be one of string"):
        resolve_schema({"type": "text"})


def contradicting(keys: str, *, output: bool = False) -> list[str]:
    """Return the errors of a document with the keys in an input, or in an output."""
    text = f"""\
naftiko: 1.0.0-alpha2
x-schemas: {{Text: {{type: string, description: Any text}}}}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://api.test
      resources:
        - path: /all
          operations: [{{name: all, method: GET, inputParameters: [{{name: q, in: query}}]}}]
  exposes:
    - type: mcp
      namespace: agent
      port: 0
      tools:
        - name: all
          description: All
          call: api.all
          {"outputParameters" if output else "inputParameters"}: [{{{"" if output else "name: q, "}{keys}}}]
"""
    try:
        Host(Source.parse(text, "capability.yaml").data)
    except ProblemsError as error:
        return [problem.message.rpartition(": ")[2] for problem in error.problems if not problem.warning]
    return []


@pytest.mark.parametrize(
    "keys",
    [
        "type: string, x-schema: {type: string}",
        "type: number, x-schema: {type: integer}",
        "type: string, x-schema: {type: [string, 'null']}",
        "x-schema: {enum: [a, b]}, values: [b, a]",
        "description: Of this use, x-schema: {$ref: '#/x-schemas/Text'}",
        "description: Same, x-schema: {description: Same}",
        "value: a, x-schema: {type: string}",
        "value: '{{q}}', x-schema: {type: integer}",
        "pattern: '^a', x-schema: {pattern: '^a', maxLength: 3}",
    ],
)
def test_keys_that_agree(keys: str) -> None:
    assert contradicting(keys) == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("type: string, x-schema: {type: integer}", "'type' is string, and 'x-schema' allows an integer"),
        ("type: object, x-schema: {$ref: '#/x-schemas/Text'}", "'type' is object, and 'x-schema' allows a string"),
        ("pattern: '^a', x-schema: {pattern: '^b'}", "'pattern' is '^a', and '^b' in 'x-schema'"),
        ("maxLength: 3, x-schema: {maxLength: 4}", "'maxLength' is 3, and 4 in 'x-schema'"),
        ("values: [a, c], x-schema: {enum: [a, b]}", "'values' differs from the values in 'x-schema'"),
        ("value: 5, x-schema: {maximum: 4}", "the constant must be at most 4 (given 5), says 'x-schema'"),
        ("description: One, x-schema: {description: Two}", "'description' differs from the one in 'x-schema'"),
    ],
)
def test_keys_that_contradict(keys: str, message: str) -> None:
    assert [found[: len(message)] for found in contradicting(keys)] == [message]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("type: object, mapping: $., x-schema: {type: array}", "'type' is object, and 'x-schema' allows an array"),
        ("type: string, const: a, x-schema: {enum: [b]}", "the constant must be one of"),
        (
            "type: object, mapping: $., properties: {a: {type: string, mapping: $.a}}, "
            "x-schema: {properties: {a: {type: integer}}}",
            "the type of 'a' is string, and 'x-schema' allows an integer",
        ),
        (
            "type: object, mapping: $., properties: {a: {type: string, mapping: $.a}}, "
            "x-schema: {properties: {b: true}, additionalProperties: false}",
            "'a' is not a property of 'x-schema'",
        ),
    ],
)
def test_outputs_that_contradict(keys: str, message: str) -> None:
    assert [found[: len(message)] for found in contradicting(keys, output=True)] == [message]
