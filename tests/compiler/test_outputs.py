"""Output parameters: results, coercion and schemas."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host import Host, ProblemsError, Result, Settings
from adapter_host.compiler.values.coercion import coerce
from adapter_host.testing import Running
from tests.support.adapters import document, plain, plain_plugins

PEOPLE = {"people": [{"name": "Ann", "age": "41", "at": {"city": "Oslo"}}, {"name": "Bo"}], "total": "2"}


def made(*outputs: dict[str, Any]) -> Host:
    shaped = plain({"name": "get", "call": "api.get", "outputParameters": list(outputs)})
    return Host(document(shaped), plugins=plain_plugins(), settings=Settings(environment={}))


async def shape(data: Any, *outputs: dict[str, Any]) -> Any:
    host = made(*outputs)
    Running(host).fake("api").responses["get"] = lambda arguments: data
    await host.start(listen=False)
    try:
        return (await host.call("front.get")).data
    finally:
        await host.stop()


def scalar(type_name: str, mapping: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": type_name, **({"mapping": mapping} if mapping else {}), **more}


def mapping(path: str | None = None, **properties: Any) -> dict[str, Any]:
    return {**scalar("object", path), **({"properties": properties} if properties else {})}


def array(path: str, items: Any = None) -> dict[str, Any]:
    return {**scalar("array", path), **({} if items is None else {"items": items})}


NAME = scalar("string", "$.name")
CITY = mapping("$.at", city=scalar("string", "$.city"))


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([], PEOPLE),
        ([mapping("$.")], PEOPLE),
        ([array("$")], PEOPLE),
        ([mapping()], PEOPLE),
        ([scalar("string", "$.people[0].name")], "Ann"),
        ([scalar("number", "$.total")], 2),
        ([scalar("number", "$.people[0].name")], "Ann"),
        ([scalar("string", "$.missing")], None),
        ([mapping(n=scalar("number", "$.total"))], {"n": 2}),
        ([mapping("$.people[0]", n=NAME, at=CITY)], {"n": "Ann", "at": {"city": "Oslo"}}),
        ([mapping("$.people[1]", n=NAME, at=CITY)], {"n": "Bo", "at": None}),
        ([mapping("$.missing", n=NAME)], None),
        ([mapping("$.people[0].at")], {"city": "Oslo"}),
        ([array("$.people", NAME)], ["Ann", "Bo"]),
        ([array("$.people", [NAME])], ["Ann", "Bo"]),
        ([array("$.people[*]", mapping(n=scalar("string", "$.people[*].name")))], [{"n": "Ann"}, {"n": "Bo"}]),
        ([array("$.people", mapping(n=scalar("string", "$.people.name")))], [{"n": "Ann"}, {"n": "Bo"}]),
        ([array("$.people[*].name")], ["Ann", "Bo"]),
        ([array("$.people[0]", NAME)], ["Ann"]),
        ([array("$.missing", NAME)], None),
        ([array("$.people", [])], PEOPLE["people"]),
        ([array("$.people", mapping(n=NAME))], [{"n": "Ann"}, {"n": "Bo"}]),
        ([scalar("string", "$.missing"), scalar("string", "$.total")], "2"),
        ([scalar("string", "$.missing"), scalar("string", "$.missing")], None),
        ([mapping(kind=scalar("string", value="list"), n=scalar("number", value="3"))], {"kind": "list", "n": 3}),
        ([mapping(kind=scalar("string", const="list"))], {"kind": "list"}),
        ([mapping(total=scalar("number"), people=array("$.people", NAME))], {"total": 2, "people": ["Ann", "Bo"]}),
        ([mapping(total={"type": "object"}, at={"type": "array"})], {"total": "2", "at": None}),
        ([mapping(deep=mapping(n=scalar("string", "$.total")))], {"deep": {"n": "2"}}),
        ([mapping("$.people[0].at", city=scalar("string", "$.people[0].at.city"))], {"city": "Oslo"}),
        ([mapping("$.people[0]", at=mapping(c=scalar("string", "$.people[0].at.city")))], {"at": {"c": "Oslo"}}),
        ([mapping("$.people[1]", total=scalar("string", "$.total"))], {"total": None}),
        ([array("$.people", mapping(at=CITY))], [{"at": {"city": "Oslo"}}, {"at": None}]),
    ],
)
async def test_output_parameters(outputs: list[dict[str, Any]], expected: Any) -> None:
    assert await shape(PEOPLE, *outputs) == expected


@pytest.mark.parametrize(("value", "elements"), [("", []), ("a", ["a"]), (0, ["0"]), (None, None), ([], [])])
async def test_array_of_a_value_that_is_no_array(value: Any, elements: Any) -> None:
    assert await shape({"x": value}, array("$.x", scalar("string", "$"))) == elements


async def test_passed_through_response_is_not_parsed() -> None:
    body = b'{"as":   "it came"}'
    host = made(mapping("$."))
    Running(host).fake("api").responses["get"] = lambda arguments: Result(
        body=body, media_type="application/vnd.x+json"
    )
    await host.start(listen=False)
    result = await host.call("front.get")
    assert (result.body, result.media_type) == (body, "application/vnd.x+json")
    await host.stop()
    (operation,) = host.status()[0].exposer.operations.values()
    assert (operation.identity, operation.output_schema) == (True, None)


async def test_empty_response_stays_empty() -> None:
    host = made(NAME)
    Running(host).fake("api").responses["get"] = lambda arguments: Result(status=204, body=b"")
    await host.start(listen=False)
    result = await host.call("front.get")
    assert (result.status, result.body) == (204, b"")
    await host.stop()


def test_invalid_paths_are_reported_with_their_position() -> None:
    bad = {
        "type": "object",
        "properties": {"a": {"mapping": "$["}, "b": {"type": "array", "items": {"mapping": "$.x["}}},
    }
    with pytest.raises(ProblemsError) as caught:
        made(bad)
    start = "capability.exposes.0.operations.0.outputParameters.0.properties"
    assert [problem.message.split(" is not")[0] for problem in caught.value.problems] == [
        f"{start}.a.mapping: '$['",
        f"{start}.b.items.mapping: '$.x['",
    ]


@pytest.mark.parametrize(
    ("value", "type_name", "coerced"),
    [
        ("42", "number", 42),
        ("4.5", "number", 4.5),
        ("-1e3", "number", -1000.0),
        ("42", "integer", 42),
        (42, "number", 42),
        (True, "number", True),
        ("abc", "number", "abc"),
        ("", "number", ""),
        ("nan", "number", "nan"),
        ("Infinity", "number", "Infinity"),
        ("1_000", "number", "1_000"),
        ("9" * 40, "number", int("9" * 40)),
        ("9" * 400, "number", "9" * 400),
        ("true", "boolean", True),
        ("False", "boolean", False),
        ("yes", "boolean", "yes"),
        (1, "boolean", 1),
        (5, "string", "5"),
        (2.5, "string", "2.5"),
        (True, "string", "true"),
        ("5", "string", "5"),
        (None, "string", None),
        ([1], "string", [1]),
        ({"a": 1}, "number", {"a": 1}),
        ("x", "object", "x"),
        ("x", None, "x"),
        ("x", "date", "x"),
    ],
)
def test_coerce_values(value: Any, type_name: str | None, coerced: Any) -> None:
    result = coerce(value, type_name)
    assert result == coerced
    assert isinstance(result, coerced.__class__)


VALUES = st.text() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(VALUES, st.sampled_from(["string", "number", "boolean", "x"]))
def test_coerced_values_are_json_and_stable(value: Any, type_name: str) -> None:
    result = coerce(value, type_name)
    assert orjson.loads(orjson.dumps(result)) == result
    assert coerce(result, type_name) == result


def test_output_schemas() -> None:
    def schema(*outputs: dict[str, Any]) -> Any:
        (operation,) = made(*outputs).status()[0].exposer.operations.values()
        return operation.output_schema

    assert schema() is None
    assert schema(scalar("string", "$.a", description="A")) == {"type": ["string", "null"], "description": "A"}
    assert schema(scalar("string", "$.a"), scalar("number", "$.b")) is None
    assert schema(array("$.a", mapping(n=NAME))) == {
        "type": ["array", "null"],
        "items": {"type": ["object", "null"], "properties": {"n": {"type": ["string", "null"]}}},
    }
