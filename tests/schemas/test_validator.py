"""Values are checked by the compiled validator; a value that breaks a schema gets its reasons, in bounded time."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_host.json_numbers import LongDecimal
from adapter_host.schemas.conversion import convert_texts
from adapter_host.schemas.explanation import Explainer
from adapter_host.schemas.resolve import resolve_schema
from adapter_host.schemas.validator import LONGEST_NAME
from adapter_host.schemas.violations import MAX_VIOLATIONS
from adapter_host.schemas.wording import describe_place, json_pointer
from tests.support.examples import examples

KINDS = {
    "oneOf": [
        {"properties": {"kind": {"const": "cat"}, "lives": {"type": "integer", "maximum": 9}}, "required": ["kind"]},
        {"properties": {"kind": {"const": "dog"}, "trick": {"type": "string"}}, "required": ["kind", "trick"]},
    ]
}

EXPLAINED: list[tuple[Any, Any, list[str]]] = [
    ({"type": "integer"}, 1.5, [" must be an integer (given 1.5)"]),
    ({"type": ["string", "null"]}, 1, [" must be a string or null (given 1)"]),
    (
        {"minimum": 2, "multipleOf": 0.1},
        1.25,
        [" must be at least 2 (given 1.25)", " must be a multiple of 0.1 (given 1.25)"],
    ),
    ({"exclusiveMinimum": 2, "exclusiveMaximum": 9}, 2, [" must be greater than 2 (given 2)"]),
    ({"exclusiveMaximum": 9}, 9, [" must be less than 9 (given 9)"]),
    ({"maxLength": 1}, "ab", [" must have at most 1 character (given 2)"]),
    ({"minLength": 3}, "ab", [" must have at least 3 characters (given 2)"]),
    ({"const": 1}, True, [" must be 1 (given true)"]),
    ({"enum": ["a", 1]}, "b", [' must be one of "a", 1 (given "b")']),
    ({"minProperties": 2}, {"a": 1}, [" must have at least 2 properties (given 1)"]),
    ({"maxItems": 1}, [1, 2], [" must have at most 1 element (given 2)"]),
    ({"uniqueItems": True}, [1, True, 1.0], ["[2] must not be the same as an element before it"]),
    ({"contains": {"type": "string"}}, [1], [" must contain at least 1 of certain elements (given 0)"]),
    (
        {"prefixItems": [{"type": "string"}], "items": False},
        [1, 2],
        ["[0] must be a string (given 1)", "[1] is not allowed"],
    ),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, ["ab has a name that must have at most 1 character (given 2)"]),
    ({"patternProperties": {"^x": {"type": "string"}}}, {"xa": 1}, ["xa must be a string (given 1)"]),
    ({"additionalProperties": {"type": "string"}}, {"a b": 1}, ["a b must be a string (given 1)"]),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, ["b is required with 'a'"]),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, ["b is required"]),
    ({"not": {"required": ["a"]}}, {"a": 1}, [" must not have 'a'"]),
    ({"not": {"type": "string"}}, "a", [" must not be a string"]),
    ({"not": {"const": 1}}, 1, [" must not be 1"]),
    ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}, ["b is required"]),
    ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, ["a is required", "b is required"]),
    (
        {"allOf": [{"properties": {"name": True}}], "unevaluatedProperties": False},
        {"nmae": 1},
        ["nmae is unknown; did you mean 'name'?"],
    ),
    ({"anyOf": [{"type": "string"}, {"type": "array"}]}, 1, [" must be a string or an array (given 1)"]),
    ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 1, [" must be at least 3 (given 1)"]),
    ({"oneOf": [{"minimum": 1}, {"maximum": 9}]}, 5, [" must match one alternative of its schema, and matches 2"]),
    (KINDS, {"kind": "cow"}, ['kind must be one of "cat", "dog" (given "cow")']),
    (KINDS, {"kind": "dog"}, ["trick is required"]),
    (KINDS, {"kind": "cat", "lives": 10}, ["lives must be at most 9 (given 10)"]),
    (
        {"properties": {"a": {"items": {"$ref": "#/$defs/x"}}}, "$defs": {"x": {"type": "integer"}}},
        {"a": [1, "2"]},
        ['a[1] must be an integer (given "2")'],
    ),
    ({"unevaluatedItems": False}, [1], [" does not match its schema"]),
    (False, 1, [" matches what its schema excludes"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "expected"), EXPLAINED)
def test_violations_are_explained(schema: Any, value: Any, expected: list[str]) -> None:
    violations = resolve_schema(schema).validate(value)
    assert [f"{describe_place(each.path)} {each.message}" for each in violations] == expected


def test_at_most_ten_are_named() -> None:
    validate = resolve_schema({"items": {"type": "string"}}).validate
    assert [each.path for each in validate(list(range(20)))] == [(index,) for index in range(MAX_VIOLATIONS)]


def test_value_that_json_does_not_have() -> None:
    (violation,) = resolve_schema({"type": "string"}).validate("\ud800")
    assert violation.message == "has a value or a character that JSON does not have"


def test_numbers_keep_their_digits() -> None:
    validate = resolve_schema({"items": {"type": "number", "maximum": 1}}).validate
    assert validate([LongDecimal("0.12345678901234567890"), 1.0]) == []
    assert resolve_schema({"type": "number"}).validate(LongDecimal("0.12345678901234567890")) == []
    assert [each.path for each in validate([LongDecimal("1.00000000000000000000000001"), 10**40])] == [(1,)]
    assert resolve_schema({"type": "integer", "minimum": 10**39}).validate(10**40) == []


def test_places() -> None:
    path = ("body", "lines", 2, "a/b ~", "x-y")
    assert describe_place(path) == 'body.lines[2]["a/b ~"].x-y'
    assert json_pointer(path) == "/body/lines/2/a~1b ~0/x-y"


def tree(depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {"args": [leaf]}
    return leaf


def test_alternatives_that_nest_take_no_exponential_time() -> None:
    """Each level has two alternatives that both hold the level below."""
    branch = {"type": "object", "properties": {"args": {"items": {"$ref": "#/$defs/e"}}}, "required": ["args"]}
    alternatives = [{**branch, "maxProperties": 2}, {**branch, "minProperties": 1}, {"type": "string"}]
    schema = resolve_schema({"$ref": "#/$defs/e", "$defs": {"e": {"anyOf": alternatives}}})
    assert schema.validate(tree(90, "a")) == []
    before = time.process_time()
    (violation,) = schema.validate(tree(90, 7))
    assert time.process_time() - before < 1
    assert violation.path[:20] == ("args", 0) * 10


def test_patterns_take_linear_time() -> None:
    schema = resolve_schema({"type": "string", "pattern": "^(a+)+$", "maxLength": 100_000})
    named = resolve_schema({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False})
    before = time.process_time()
    assert schema.validate("a" * 50_000 + "!")
    assert named.validate({"a" * LONGEST_NAME + "!": 1})
    assert time.process_time() - before < 1


def never_asked(schema: Any, value: Any) -> bool:
    raise AssertionError("the schema is not nested deeply")


ATOMS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "a", "ab", 1.0, 2.5]))
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])


def composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    keywords = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
        "minimum": st.integers(-3, 3),
        "maxLength": st.integers(0, 2),
        "enum": st.lists(ATOMS, min_size=1, max_size=3),
        "const": ATOMS,
        "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
        "required": st.lists(st.sampled_from("abc"), unique=True, max_size=2),
        "additionalProperties": inner,
        "items": inner,
        "prefixItems": several,
        "uniqueItems": st.booleans(),
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "contains": inner,
        "propertyNames": inner,
    }
    return st.sampled_from(sorted(keywords)).flatmap(
        lambda first: st.fixed_dictionaries(
            {first: keywords[first]}, optional={key: each for key, each in keywords.items() if key != first}
        ).map(lambda made: {key: made[key] for key in sorted(made)[:4]} | {first: made[first]})
    )


@settings(max_examples=examples(300), deadline=None)
@given(st.recursive(st.booleans() | composed(st.booleans()), composed, max_leaves=4), st.lists(VALUES, max_size=5))
def test_any_schema_agrees_with_another_validator(schema: Any, values: list[Any]) -> None:
    resolved = resolve_schema(schema)
    for value in values:
        expected = jsonschema.Draft202012Validator(schema).is_valid(value)
        violations = resolved.validate(value)
        assert (violations == []) == expected
        assert (Explainer(resolved.checked, never_asked).explain(value) == []) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "integer"}, "12", 12),
        ({"type": "number"}, "1.5e3", 1500.0),
        ({"type": "boolean"}, "true", True),
        ({"type": ["integer", "string"]}, "12", "12"),
        ({"type": ["integer", "null"]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {"type": "array"}]}, "[1]", [1]),
        ({"items": {"type": "integer"}}, ["1", 2, "x"], [1, 2, "x"]),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, '{"a": "7"}', {"a": 7}),
        ({"type": "object"}, "{broken", "{broken"),
        ({"type": "object"}, "[1]", "[1]"),
        ({"type": "integer"}, "1.5", "1.5"),
        ({"type": "boolean"}, "yes", "yes"),
    ],
)
def test_texts_are_converted_where_text_is_not_allowed(schema: Any, value: Any, expected: Any) -> None:
    converted = convert_texts(value, resolve_schema(schema).validate)
    assert (converted, type(converted)) == (expected, type(expected))


def test_many_texts_are_converted() -> None:
    texts = [str(number) for number in range(500)]
    validate = resolve_schema({"items": {"type": "integer"}}).validate
    assert convert_texts(texts, validate) == list(range(500))


def test_many_mistakes_take_little_time() -> None:
    validate = resolve_schema({"items": {"type": "string"}}).validate
    before = time.process_time()
    assert len(validate(list(range(1_000_000)))) == MAX_VIOLATIONS
    assert time.process_time() - before < 2
