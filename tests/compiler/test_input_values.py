"""The `value` of exposed inputs: constants, JSONPaths into the body or the arguments, and other expressions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from adapter_host import ArgumentError, Host, Settings
from adapter_host.testing import Running
from tests.support.adapters import document, plain, plain_plugins
from tests.support.rest_and_mcp import given, offering, operation, resource, tool

USER = [
    given("userId", "body", type="string", description="The id", value="$.user.id"),
    given("userName", "body", type="string", description="The name", value="$['user'].name"),
]
CREATE = resource("/create", operation("create", "POST", body='{"id":"{{userId}}","name":"{{userName}}"}'))
BODY: dict[str, Any] = {"user": {"id": "123", "name": "Alice"}}

UNITS: dict[str, dict[str, Any]] = {
    "call": {"call": "api.create", "inputParameters": USER},
    "with": {"call": "api.create", "inputParameters": USER, "with": {"userId": "{{userId}}", "userName": "userName"}},
    "ref": {"ref": "people.create", "inputParameters": USER},
    "function": {"ref": "people.from-body"},
    "steps": {"name": "s", "inputParameters": USER, "steps": [{"name": "made", "type": "call", "call": "api.create"}]},
}
AGGREGATE = {
    "namespace": "people",
    "functions": [
        {"name": "create", "description": "d", "call": "api.create"},
        {
            "name": "from-body",
            "description": "d",
            "call": "api.create",
            "inputParameters": [{**each, "required": False} for each in USER],
        },
    ],
}


@pytest.mark.parametrize("name", UNITS)
async def test_path_into_body_and_arguments(name: str) -> None:
    unit = UNITS[name]
    rest = [resource("/users", {"method": "POST", **unit})]
    async with offering(
        CREATE, rest=rest, tools=[{**tool(), **unit, "name": "make"}], aggregates=[AGGREGATE]
    ) as offered:
        assert (await offered.rest("POST", "/users", json=BODY)).status == 200
        assert not (await offered.tool("make", BODY)).failed
        assert [orjson.loads(seen.body) for seen in offered.api.seen] == [{"id": "123", "name": "Alice"}] * 2


async def test_path_in_constant_output() -> None:
    outputs = [{"name": "said", "type": "string", "value": "Hello {{userName}}"}]
    unit = {"inputParameters": USER, "outputParameters": outputs}
    async with offering(
        CREATE, rest=[resource("/users", {"method": "POST", **unit})], tools=[tool("greet", **unit)]
    ) as offered:
        assert (await offered.rest("POST", "/users", json=BODY)).data == {"said": "Hello Alice"}
        assert (await offered.tool("greet", BODY)).data == {"said": "Hello Alice"}


TARGET = [{"name": "a", "in": "body"}, {"name": "b", "in": "body"}]


def unit(*inputs: dict[str, Any], **keys: Any) -> Host:
    """Return a host whose operation `get` has these inputs and calls an operation with the inputs `a` and `b`."""
    api = {"type": "fake", "namespace": "api", "operations": [{"name": "get", "inputParameters": TARGET}]}
    exposed = plain({"name": "get", "call": "api.get", "inputParameters": list(inputs), **keys})
    binds = [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}]
    made = {**document(exposed, consumes=[api]), "binds": binds}
    return Host(made, plugins=plain_plugins(), settings=Settings(environment={"TOKEN": "s3cr3t"}))


async def sent(host: Host, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that the consumed operation receives."""
    await host.start(listen=False)
    try:
        await host.call("front.get", arguments)
        ((_, result),) = Running(host).fake("api").calls
        return result
    finally:
        await host.stop()


@pytest.mark.parametrize(
    ("value", "body", "expected"),
    [
        ("$.x", {"x": [1]}, {"a": [1]}),
        ("$.x.y[0]", {"x": {"y": [7]}}, {"a": 7}),
        ("$.x[*].id", {"x": [{"id": 1}, {"id": 2}]}, {"a": [1, 2]}),
        ("$.x.length()", {"x": [1, 2]}, {"a": 2}),
        ("$.x.missing", {"x": {}}, {}),
        ("$.x", {"x": None}, {}),
        ("$.x", {}, {}),
        ("$", {"body": {"x": 1}}, {"a": {"x": 1}}),
        ("$.", {"body": [1]}, {"a": [1]}),
        ("$[1]", {"body": [1, 2]}, {"a": 2}),
        ("$..id", {"body": {"x": {"id": 3}}}, {"a": [3]}),
        ("$5", {}, {"a": "$5"}),
        ("plain.text", {}, {"a": "plain.text"}),
        (5, {}, {"a": 5}),
        ("{{q}}", {"q": [1]}, {"a": [1]}),
        ("{{q}}-{{env.TOKEN}}", {"q": 1}, {"a": "1-s3cr3t"}),
        ("env.TOKEN", {}, {"a": "s3cr3t"}),
        ("front.q", {"q": 1}, {"a": 1}),
        ("$this.front.q", {"q": 1}, {"a": 1}),
    ],
)
async def test_values(value: Any, body: dict[str, Any], expected: dict[str, Any]) -> None:
    host = unit({"name": "a", "value": value}, {"name": "unset"})
    assert await sent(host, body) == expected


async def test_step_uses_an_input_whose_name_begins_with_a_dollar() -> None:
    steps = [{"name": "made", "type": "call", "call": "api.get", "with": {"a": "tools.$select", "b": "{{$top}}!"}}]
    api = {"type": "fake", "namespace": "api", "operations": [{"name": "get", "inputParameters": TARGET}]}
    host = Host(document(plain({"name": "get", "steps": steps}), consumes=[api]), plugins=plain_plugins())
    assert await sent(host, {"$select": 1, "$top": 2}) == {"a": 1, "b": "2!"}


async def test_field_with_the_name_of_another_input() -> None:
    host = unit({"name": "user", "in": "query"}, {"name": "a", "in": "body", "value": "$.user.id"})
    (made,) = host.status()[0].exposer.operations.values()
    assert {item.name: (item.in_, item.whole) for item in made.inputs} == {
        "user": ("query", False),
        "body": ("body", True),
    }
    assert await sent(host, {"user": "x", "body": {"user": {"id": 4}}}) == {"a": 4}


def test_inputs_of_callers() -> None:
    host = unit(
        {"name": "a", "type": "string", "description": "First", "value": "$.user.id", "required": True},
        {"name": "b", "type": "array", "description": "Second", "value": "$.list"},
    )
    (made,) = host.status()[0].exposer.operations.values()
    assert made.input_schema["properties"] == {
        "user": {"type": "object", "description": "$.user.id: First"},
        "list": {"type": "array", "description": "Second"},
    }
    assert made.input_schema["required"] == ["user"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"user": {"id": 5}}, "'a' must be a string (given 5)"),
        ({"user": {"id": "x"}}, "'a' must match the pattern ^[0-9]+$"),
        ({"user": {}}, "'a' is required; send it at $.user.id of the body"),
        ({}, "'user' is required"),
        ({"user": {"id": "5"}, "id": "5"}, "unknown parameter 'id' (known: user, b)"),
    ],
)
async def test_value_at_path_is_checked(arguments: dict[str, Any], message: str) -> None:
    host = unit({"name": "a", "type": "string", "value": "$.user.id", "required": True, "pattern": "^[0-9]+$"})
    await host.start(listen=False)
    with pytest.raises(ArgumentError) as raised:
        await host.call("front.get", arguments)
    await host.stop()
    assert raised.value.message == message


@pytest.mark.parametrize("consumed", [False, True])
async def test_lengths_and_values_are_checked_over_rest_and_mcp(consumed: bool) -> None:
    color = given("color", "query", type="string", values=["red", "green"])
    code = given("code", "query", type="string", minLength=2, maxLength=3)
    declared = {"inputParameters": [color, code]}
    target = operation(
        "do", inputParameters=[color, code] if consumed else [given("color", "query"), given("code", "query")]
    )
    unit: dict[str, Any] = {"call": "api.do", **({} if consumed else declared)}
    async with offering(
        resource("/a", target), rest=[resource("/a", {"method": "GET", **unit})], tools=[tool(**unit)]
    ) as offered:
        valid: dict[str, str] = {"color": "red", "code": "ab"}
        assert (await offered.rest("GET", "/a?color=red&code=ab")).status == 200
        assert not (await offered.tool("do", valid)).failed
        for name, value in (("color", "blue"), ("code", "a"), ("code", "abcd")):
            arguments = {**valid, name: value}
            response = await offered.rest("GET", f"/a?color={arguments['color']}&code={arguments['code']}")
            assert (response.status, response.data["parameter"]) == (400, name)
            assert (await offered.tool("do", arguments)).failed
        assert len(offered.api.seen) == 2
        parameters = (await offered.rest("GET", "/openapi.json")).data["paths"]["/a"]["get"]["parameters"]
        assert [each["schema"] for each in parameters] == [
            {"type": "string", "enum": ["red", "green"]},
            {"type": "string", "minLength": 2, "maxLength": 3},
        ]
