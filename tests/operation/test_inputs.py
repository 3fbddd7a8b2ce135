"""Inputs: parsing and validation."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

from adapter_host import ArgumentError, Input, InputSpec
from adapter_host.schemas.conversion import parse_number

TYPES = ("string", "integer", "number", "boolean", "array", "object", None)
FITS: list[tuple[Any, set[str]]] = [
    ("text", {"string"}),
    ("", {"string"}),
    (5, {"integer", "number"}),
    (5.0, {"integer", "number"}),
    (5.5, {"number"}),
    (True, {"boolean"}),
    ([], {"array"}),
    ({}, {"object"}),
    (None, set()),
    (float("inf"), {"number"}),
    (10**30, {"integer", "number"}),
]


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize(("value", "fits"), FITS, ids=[repr(value) for value, _ in FITS])
def test_check_types(type_name: str | None, value: Any, fits: set[str]) -> None:
    checked = Input("x", type_name)
    if type_name is None or type_name in fits:
        checked.check(value)
        return
    with pytest.raises(ArgumentError) as caught:
        checked.check(value)
    assert caught.value.parameter == "x"
    assert caught.value.status == 400
    assert caught.value.message.startswith("'x' must be ")


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("integer", "five"),
        ("integer", 5.5),
        ("string", 5),
        ("string", True),
        ("string", None),
        ("string", 10**30),
        ("boolean", "true"),
        ("array", {"a": "secret"}),
        ("object", ["secret"]),
        ("integer", "9" * 60),
    ],
    ids=["text", "fraction", "number", "boolean", "null", "large", "quoted", "object", "array", "long"],
)
def test_type_error_messages(type_name: str, value: Any, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ArgumentError) as caught:
        Input("x", type_name).check(value)
    assert caught.value.parameter == "x"
    assert caught.value.message == snapshot


@pytest.mark.parametrize(
    ("spec", "valid", "invalid", "message"),
    [
        ({"maxLength": 2}, ["", "ab", "é😀", [1, 2, 3], 12345], "abc", "at most 2 characters long (given 3)"),
        ({"minLength": 2}, ["ab", "abc", []], "a", "at least 2 characters long (given 1)"),
        ({"values": ["a", "b"]}, ["a", "b"], "c", 'one of "a", "b" (given "c")'),
        ({"enum": ["a"], "values": ["b"]}, ["a", "b"], "A", 'one of "b", "a" (given "A")'),
        ({"values": [1, 2.5], "type": "number"}, [1, 1.0, 2.5], 2, "one of 1, 2.5 (given 2)"),
        ({"values": [1, 0]}, [1, 0], True, "one of 1, 0 (given true)"),
        ({"values": [True]}, [True], 1, "one of true (given 1)"),
        ({"values": [1, True], "type": "string"}, ["1", "true"], "0", 'one of "1", "true" (given "0")'),
        ({"values": [None, "a"]}, [None, "a"], "", 'one of null, "a" (given "")'),
    ],
)
def test_lengths_and_values(spec: dict[str, Any], valid: list[Any], invalid: Any, message: str) -> None:
    declared = Input.declared(InputSpec.model_validate({"name": "x", **spec}))
    for value in valid:
        declared.check(value)
        assert Draft202012Validator(declared.schema).is_valid(value)
    with pytest.raises(ArgumentError) as caught:
        declared.check(invalid)
    assert (caught.value.parameter, caught.value.message) == ("x", f"'x' must be {message}")
    assert not Draft202012Validator(declared.schema).is_valid(invalid)


@pytest.mark.parametrize(
    ("type_name", "text", "value"),
    [
        (None, "5", "5"),
        ("string", "5", "5"),
        ("date", "2026-01-01", "2026-01-01"),
        ("integer", "5", 5),
        ("integer", "-5", -5),
        ("integer", "+5", 5),
        ("integer", "007", 7),
        ("integer", str(2**63), 2**63),
        ("integer", str(-(2**64)), -(2**64)),
        ("number", "9" * 300, 10**300 - 1),
        ("number", "5", 5),
        ("number", "-1.5e3", -1500.0),
        ("number", "0.1", 0.1),
        ("boolean", "true", True),
        ("boolean", "1", True),
        ("boolean", "false", False),
        ("boolean", "0", False),
        ("object", '{"a": 1}', {"a": 1}),
        ("array", "[1, 2]", [1, 2]),
        ("array", "a", ["a"]),
        ("array", "", [""]),
    ],
)
def test_parse_text(type_name: str | None, text: str, value: Any) -> None:
    parsed = Input("x", type_name).parse(text)
    assert parsed == value
    assert isinstance(parsed, value.__class__)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("integer", ""),
        ("integer", "5.0"),
        ("integer", " 5"),
        ("integer", "5\n"),
        ("integer", "1_000"),
        ("integer", "0x10"),
        ("integer", "\u0665"),
        ("integer", "9" * 301),
        ("integer", "9" * 5000),
        ("number", "nan"),
        ("number", "inf"),
        ("number", "-Infinity"),
        ("number", "1e999"),
        ("number", "9" * 301),
        ("number", f"0.{'9' * 300}"),
        ("number", "1,5"),
        ("number", ".5"),
        ("boolean", "True"),
        ("boolean", "yes"),
        ("boolean", ""),
        ("object", "[1]"),
        ("object", "a"),
        ("object", ""),
        ("array", "[1"),
    ],
)
def test_parse_rejects(type_name: str, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Input("x", type_name).parse(text)
    assert caught.value.parameter == "x"
    assert len(caught.value.message) < 120


@given(st.sampled_from(TYPES), st.text())
def test_parsed_values_are_valid_and_json(type_name: str | None, text: str) -> None:
    declared = Input("x", type_name)
    try:
        value = declared.parse(text)
    except ArgumentError:
        return
    declared.check(value)
    orjson.dumps(value)


@given(st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_parse_round_trips_json_numbers(value: float) -> None:
    assert parse_number(orjson.dumps(value).decode()) == value


def test_check_pattern() -> None:
    declared = Input("x", "string", pattern="^[a-z]+$")
    declared.check("abc")
    with pytest.raises(ArgumentError, match=r"'x' must match the pattern \^\[a-z\]\+\$"):
        declared.check("ABC")
    Input("x", None, pattern="^a").check(5)


@pytest.mark.parametrize(
    ("declared", "valid", "invalid", "message"),
    [
        (Input("x", "string", min_length=2), ["ab", "é\U0001f600"], ["", "\U0001f600"], "at least 2 characters long"),
        (Input("x", "string", max_length=2), ["", "a\U0001f600"], ["abc"], "at most 2 characters long (given 3)"),
        (Input("x", max_length=0), ["", 5, [1, 2]], ["a"], "at most 0 characters long (given 1)"),
        (Input("x", min_length=1, max_length=2), ["a", "ab"], ["", "abc"], "1 to 2 characters long"),
        (Input("x", min_length=1, max_length=1), ["a"], ["", "ab"], "1 character long (given"),
        (Input("x", max_length=1), ["a", ""], ["ab"], "at most 1 character long (given 2)"),
        (Input("x", min_length=1), ["a", "ab"], [""], "at least 1 character long (given 0)"),
        (Input("x", min_length=2, max_length=2), ["ab"], ["a", "abc"], "2 characters long"),
        (Input("x", "string", values=("a", "b c")), ["a", "b c"], ["", "A", "a "], 'one of "a", "b c"'),
        (Input("x", "integer", values=(1, 20)), [1, 20, 1.0], [0, 2**70], "one of 1, 20 (given "),
        (Input("x", values=(True,)), [True], [1, 1.0, False, "true", {"a": 1}], "one of true (given "),
        (Input("x", values=(1,)), [1], [True], "one of 1 (given true)"),
        (Input("x", "array", values=("a", 1)), [[], ["a", 1], ["1"]], [["a", "b"], [True], [None]], 'one of "a", 1'),
        (Input("x", values=tuple("abcdefghijklmnopqrstuvw")), ["w"], ["x"], '"s", "t", ... (given '),
    ],
)
def test_check_limits(declared: Input, valid: list[Any], invalid: list[Any], message: str) -> None:
    for value in valid:
        declared.check(value)
    for value in invalid:
        with pytest.raises(ArgumentError, match=re.escape(message)):
            declared.check(value)


def test_schema_of_limits() -> None:
    text = Input("x", "string", min_length=0, max_length=5, values=("a", "b"))
    assert text.schema == {"type": "string", "minLength": 0, "maxLength": 5, "enum": ["a", "b"]}
    assert Input("x", "array", values=(1,)).schema == {"type": "array", "items": {"enum": [1]}}


def test_input_schema() -> None:
    assert Input("x").schema == {}
    declared = Input("x", "integer", description="How many", pattern="^a")
    assert declared.schema == {"type": "integer", "description": "How many", "pattern": "^a"}
    assert Input("x", "date").schema == {}
