"""Tests of portable schemas, one rule after the other; docs/explanation/portable-schemas.md has their sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest
from jsonschema import Draft202012Validator

from adapter_host.schemas.portable.names import NameMap, portable_names
from adapter_host.schemas.portable.patterns import is_portable_pattern
from adapter_host.schemas.portable.render import DEEPEST, LARGEST, portable_schema
from tests.support.paths import ROOT
from tests.support.tool_rules import DEEPEST as CHECKED_DEPTH
from tests.support.tool_rules import input_violations, output_violations

Json = dict[str, Any]

TEXT = {"type": "string"}
CAT = {"type": "object", "required": ["claws"], "properties": {"kind": {"const": "cat"}, "claws": {"type": "boolean"}}}
DOG = {"type": "object", "required": ["bark"], "properties": {"kind": {"const": "dog"}, "bark": TEXT}}
ANY_SCALAR = [{"type": name} for name in ("object", "string", "number", "boolean", "null")]


def field(schema: Any, **root: Any) -> Json:
    """Return the portable form of a property with this schema."""
    whole = {"type": "object", "properties": {"x": schema}, **root}
    made = portable_schema(whole)
    assert input_violations(made) == []
    found: Json = made["properties"]["x"]
    return found


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "uuid"}, {"type": "string", "description": "Format: uuid."}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "integer", "format": "int64"}, {"type": "integer"}),
        ({"type": "string", "pattern": "^[a-z]+$"}, {"type": "string", "pattern": "^[a-z]+$"}),
        ({"type": "string", "pattern": "^(?!x)"}, {"type": "string", "description": "Pattern: `^(?!x)`."}),
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"type": "string", "enum": ["", "a"]}, {"type": "string", "description": 'One of "", "a".'}),
        ({"enum": [1, 3]}, {"type": "integer", "description": "One of 1, 3.", "minimum": 1, "maximum": 3}),
        ({"const": True}, {"type": "boolean", "description": "Always true."}),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 9}, {"type": "integer", "minimum": 1, "maximum": 9}),
        (
            {"type": "number", "exclusiveMinimum": 0.5, "multipleOf": 0.5},
            {"type": "number", "description": "Greater than 0.5. A multiple of 0.5.", "minimum": 0.5},
        ),
        (
            {"type": "number", "minimum": 3, "exclusiveMinimum": True},
            {"type": "number", "description": "Greater than 3.", "minimum": 3},
        ),
        ({"type": "integer", "minimum": -9223372036854776000}, {"type": "integer"}),
        ({"type": "integer", "maximum": 2**63 - 1}, {"type": "integer", "maximum": 2**63 - 1}),
        ({"type": "string", "nullable": True}, {"anyOf": [TEXT, {"type": "null"}]}),
        (
            {"type": ["string", "null"], "description": "A name", "maxLength": 3},
            {"description": "A name", "anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        ),
        ({"properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}}),
        ({**TEXT, "default": "a", "deprecated": True}, {**TEXT, "default": "a", "description": "Deprecated."}),
        ({"type": "string", "title": "T", "examples": ["e"]}, {**TEXT, "description": 'T. Example: "e".'}),
        ({"type": "string", "default": "a" * 201}, TEXT),
        (
            {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
            {**TEXT, "description": "Encoding: base64. Media type: image/png."},
        ),
        ({"type": "array", "items": TEXT, "uniqueItems": True},
         {"type": "array", "description": "Elements are unique.", "items": TEXT}),
        (
            {"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False},
            {
                "type": "array",
                "description": "The alternatives of its elements are in their order.",
                "items": {"anyOf": [TEXT, {"type": "integer"}]},
            },
        ),
        (
            {"allOf": [{"type": "object", "properties": {"a": TEXT}}, {"required": ["b"], "properties": {"b": TEXT}}]},
            {"type": "object", "properties": {"b": TEXT, "a": TEXT}, "required": ["b"]},
        ),
        (
            {"allOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 5}]},
            {"type": "integer", "minimum": 3, "maximum": 5},
        ),
        (
            {"allOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]},
            {"type": "string", "enum": ["a", "b"]},
        ),
        (
            {"description": "A pet", "oneOf": [CAT, DOG]},
            {
                "description": "A pet",
                "anyOf": [
                    {**CAT, "properties": {"claws": {"type": "boolean"}, "kind": {**TEXT, "enum": ["cat"]}}},
                    {**DOG, "properties": {"bark": TEXT, "kind": {**TEXT, "enum": ["dog"]}}},
                ],
            },
        ),
        (
            {"oneOf": [{"const": "a", "title": "First"}, {"const": "b", "title": "Second"}]},
            {"type": "string", "description": '"a": First; "b": Second.', "enum": ["a", "b"]},
        ),
        ({"type": "object", "patternProperties": {"^a": TEXT}, "additionalProperties": False}, {"type": "object"}),
        ({"type": "object", "additionalProperties": TEXT}, {"type": "object", "additionalProperties": TEXT}),
        (
            {"type": "object", "required": ["a"], "additionalProperties": TEXT},
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": TEXT},
        ),
    ],
)  # fmt: skip
def test_parts(schema: Json, expected: Json) -> None:
    assert field(schema) == expected


def test_arrays_and_values_of_which_nothing_is_known_have_types() -> None:
    innermost = {"anyOf": ANY_SCALAR}
    anything = field({"description": "Any"})
    assert anything["description"] == "Any"
    assert anything["anyOf"][0] == {"type": "object"}
    assert anything["anyOf"][1]["items"]["anyOf"][1] == {"type": "array", "items": innermost}
    assert field({"type": "array"})["items"]["anyOf"] == anything["anyOf"]
    assert field(True) == {"anyOf": anything["anyOf"]}


def test_an_alternative_that_accepts_everything_keeps_all_types() -> None:
    made = field({"anyOf": [{"type": "string", "minLength": 1}, {}]})
    assert [option["type"] for option in made["anyOf"]].count("string") == 2
    assert {"type": "null"} in made["anyOf"]
    required = field({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]})
    assert [option["required"] for option in required["anyOf"]] == [["a"], ["b"]]


def test_the_root_is_one_object_with_the_fields_of_all_alternatives() -> None:
    made = portable_schema({"oneOf": [CAT, DOG], "description": "A pet"})
    assert made == {
        "type": "object",
        "description": "A pet. Use one of these sets of fields: claws; or bark.",
        "properties": {"kind": {**TEXT, "enum": ["cat", "dog"]}, "claws": {"type": "boolean"}, "bark": TEXT},
    }
    assert portable_schema({}) == {"type": "object", "properties": {}}
    assert portable_schema({"type": "string"}) == {"type": "object", "properties": {}}


def test_recursion_is_cut_and_described() -> None:
    tree = {
        "type": "object",
        "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
    }
    assert field({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": tree}}) == {
        "type": "object",
        "properties": {
            "name": TEXT,
            "children": {
                "type": "array",
                "items": {
                    "type": "object",
                    "description": "A Tree again, with the fields described above, at any depth.",
                },
            },
        },
    }


@pytest.mark.parametrize(
    "definition",
    [
        {"$ref": "#/$defs/A"},
        {"allOf": [{"$ref": "#/$defs/A"}], "type": "object"},
        {"anyOf": [{"$ref": "#/$defs/A"}, TEXT]},
        {"type": "array", "items": {"$ref": "#/$defs/A"}},
    ],
)
def test_references_in_circles_end(definition: Json) -> None:
    field({"$ref": "#/$defs/A"}, **{"$defs": {"A": definition}})


def test_unknown_references_accept_everything() -> None:
    assert len(field({"$ref": "#/$defs/Missing"})["anyOf"]) == len(ANY_SCALAR) + 1
    assert len(field({"$ref": "https://example.com/schema"})["anyOf"]) == len(ANY_SCALAR) + 1


def nested(levels: int) -> Json:
    return TEXT if levels == 0 else {"type": "object", "required": ["deep"], "properties": {"deep": nested(levels - 1)}}


def test_deep_schemas_are_cut_and_name_what_is_required() -> None:
    assert DEEPEST == CHECKED_DEPTH
    part = portable_schema(nested(DEEPEST + 5))
    for _ in range(DEEPEST):
        part = part["properties"]["deep"]
    assert part == {
        "type": "object",
        "description": "Its fields are nested too deeply to be described here; required: `deep`.",
    }


def test_large_schemas_are_cut_at_fewer_levels() -> None:
    wide = {f"a{index}": nested(6) for index in range(LARGEST // 5)}
    made = portable_schema({"type": "object", "properties": wide})
    assert input_violations(made) == []
    assert list(made["properties"]) == list(wide)
    assert "nested too deeply" in str(made)


def test_many_alternatives_are_joined() -> None:
    keys = [{"type": "object", "required": [f"k{n}"], "properties": {f"k{n}": TEXT}} for n in range(8)]
    made = field({"allOf": [{"anyOf": keys}, {"anyOf": list(reversed(keys))}]})
    assert (made["type"], set(made["properties"])) == ("object", {f"k{n}" for n in range(8)})


def test_results_keep_their_names_and_lists_of_types() -> None:
    schema = {"type": ["object", "null"], "properties": {"$id": {"type": ["string", "null"], "description": "Id"}}}
    assert portable_schema(schema, is_output=True) == schema
    made = portable_schema({"$ref": "#/$defs/A", "$defs": {"A": {**schema, "x-order": 1}}}, is_output=True)
    assert made == schema
    assert portable_schema({"type": "array", "items": {"const": 1}}, is_output=True)["items"] == {
        "type": "integer", "description": "One of 1.", "minimum": 1, "maximum": 1
    }  # fmt: skip
    assert output_violations(made) == []


def test_results_of_every_type_stay_valid() -> None:
    schema = {"properties": {"a": {"type": "string", "x-b": 1}}}
    made = Draft202012Validator(portable_schema(schema, is_output=True))
    values: list[Any] = ["text", 1, None, [], {"a": "b"}]
    assert all(made.is_valid(value) for value in values)
    assert not made.is_valid({"a": 1})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["id", "a.b", "a-b_c"], ["id", "a.b", "a-b_c"]),
        (["$filter", "filter"], ["filter_2", "filter"]),
        (["filter[x]", "filter[y]"], ["filter_x", "filter_y"]),
        (["date<", "date>", "date", "date!="], ["date_lt", "date_gt", "date", "date_not_eq"]),
        (["größe", "日本", "", "$"], ["gro_e", "property", "property_2", "property_3"]),
        (["n" * 70, "n" * 64], ["n" * 62 + "_2", "n" * 64]),
        (["@odata.type", "with space"], ["at_odata.type", "with_space"]),
    ],
)
def test_names_become_legal_and_unique(names: list[str], expected: list[str]) -> None:
    assert list(map(portable_names(names).get, names)) == expected


def test_names_are_restored_where_the_schema_has_them() -> None:
    schema = {
        "type": "object",
        "properties": {
            "$top": {"type": "integer"},
            "free": {"type": "object"},
            "map": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Node"}},
        },
        "$defs": {"Node": {"allOf": [{"properties": {"a b": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}]}},
    }
    names = NameMap.of(schema)
    assert names is not None
    sent = {"top": 1, "free": {"top": 2}, "map": {"top": {"a_b": [{"a_b": []}]}}}
    assert names.restore(sent) == {"$top": 1, "free": {"top": 2}, "map": {"top": {"a b": [{"a b": []}]}}}
    assert names.restore({"$top": 1}) == {"$top": 1}
    text = '[{"a_b": []}]'
    assert names.restore({"map": {"x": {"a_b": text}}}) == {"map": {"x": {"a b": text}}}
    read = names.restore({"map": {"x": {"a_b": text}}, "top": "[1]"}, reads_texts=True)
    assert read == {"map": {"x": {"a b": [{"a b": []}]}}, "$top": "[1]"}
    assert names.restore({"free": "{"}, reads_texts=True) == {"free": "{"}
    assert NameMap.of({"type": "object", "properties": {"a": {}}}) is None


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z]+$", r"^\d{3}-\d{4}$", "(ab|cd)*?", r"[\w.-]+@[\w.-]+", r"\bword\b", "", "a{2,}", r"^/[^/]+$", "(?:a)"],
)
def test_patterns_that_are_read_alike(pattern: str) -> None:
    assert is_portable_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)", "(?<!a)b", "(?P<n>a)", "(?<n>a)", r"(a)\1", r"\p{L}", r"\Aa\Z", "(?i)a", "a++", "a{,3}", "a{", "]",
        "[", "(a", "a)", "*a", r"\-", r"\_", "[z-a]", "a{3,1}", r"[[:alpha:]]", r"\cA", r"[\b]", "a" * 501, "^*",
        r"\b+", "[a&&b]", "[a--b]", r"[\w-a]", "[^]a]",
    ],
)  # fmt: skip
def test_patterns_that_are_not(pattern: str) -> None:
    assert not is_portable_pattern(pattern)


PACKAGES = Path(openapi_spec_validator.__file__).parents[1]
META_SCHEMAS = {
    **{
        f"draft {path.parent.name}": path
        for path in (PACKAGES / "jsonschema_specifications/schemas").glob("draft*/metaschema.json")
    },
    **{
        f"OpenAPI {path.parent.name}": path
        for path in (PACKAGES / "openapi_spec_validator/resources/schemas").glob("v*/schema.json")
    },
}


@pytest.mark.parametrize("name", META_SCHEMAS)
def test_large_recursive_schemas_follow_the_rules(name: str) -> None:
    schema = json.loads(META_SCHEMAS[name].read_text(encoding="utf-8"))
    assert input_violations(portable_schema({"type": "object", "properties": {"x": schema}, **schema})) == []
    assert output_violations(portable_schema(schema, is_output=True)) == []


def test_the_page_has_the_limits() -> None:
    page = (ROOT / "docs/explanation/portable-schemas.md").read_text(encoding="utf-8")
    assert f"{DEEPEST} levels" in page
    assert f"{LARGEST:,} parts" in page
