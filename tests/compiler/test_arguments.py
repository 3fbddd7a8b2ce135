"""Arguments: inputs of operations, their validation, and the arguments of the consumed operation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from adapter_host import ABSENT, ArgumentError, Host, Input, Settings
from adapter_host.compiler.values.argument_checks import compile_validator
from adapter_host.testing import Running
from tests.support.adapters import document, plain, plain_plugins

TARGET: list[dict[str, Any]] = [
    {"name": "id", "in": "path", "type": "integer", "required": True},
    {"name": "limit", "in": "query", "type": "integer", "description": "How many"},
    {"name": "Sort-By", "in": "query", "type": "string", "pattern": "^[a-z]+$"},
]


def unit(target: list[dict[str, Any]] = TARGET, *, with_: dict[str, Any] | None = None, **operation: Any) -> Host:
    """Return a host whose one operation calls `api.get` with the inputs `target`."""
    if with_ is not None:
        operation["with"] = with_
    api = {"type": "fake", "namespace": "api", "operations": [{"name": "get", "inputParameters": target}]}
    exposed = plain({"name": "get", "call": "api.get", **operation})
    return Host(document(exposed, consumes=[api]), plugins=plain_plugins(), settings=Settings(environment={"VAR": "v"}))


def inputs(host: Host) -> dict[str, Input]:
    (operation,) = host.status()[0].exposer.operations.values()
    return {declared.name: declared for declared in operation.inputs}


async def sent(host: Host, **arguments: Any) -> dict[str, Any]:
    """Return the arguments that the consumed operation receives."""
    await host.start(listen=False)
    try:
        await host.call("front.get", arguments)
        ((_, result),) = Running(host).fake("api").calls
        return result
    finally:
        await host.stop()


async def test_inputs_default_to_those_of_the_target() -> None:
    host = unit()
    assert list(inputs(host)) == ["id", "limit", "Sort-By"]
    assert inputs(host)["id"] == Input("id", "integer", required=True, in_="path")
    assert inputs(host)["limit"].description == "How many"
    assert await sent(host, id=1, limit=2) == {"id": 1, "limit": 2}


def test_input_schema() -> None:
    (operation,) = unit().status()[0].exposer.operations.values()
    assert operation.input_schema == {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "limit": {"type": "integer", "description": "How many"},
            "Sort-By": {"type": "string", "pattern": "^[a-z]+$"},
        },
        "required": ["id"],
        "additionalProperties": False,
    }
    (nothing,) = unit(target=[]).status()[0].exposer.operations.values()
    assert nothing.input_schema == {"type": "object", "properties": {}, "additionalProperties": False}


LIMITED: list[dict[str, Any]] = [
    {"name": "size", "in": "query", "type": "string", "values": ["s", "l"]},
    {"name": "note", "in": "query", "type": "string", "minLength": 2, "maxLength": 4},
]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ([], {"size": {"enum": ["s", "l"]}, "note": {"minLength": 2, "maxLength": 4}}),
        (
            [{"name": "size"}, {"name": "note", "maxLength": 3}],
            {"size": {"enum": ["s", "l"]}, "note": {"minLength": 2, "maxLength": 3}},
        ),
        (
            [{"name": "size", "type": "string", "values": ["s"]}, {"name": "note"}],
            {"size": {"enum": ["s"]}, "note": {"minLength": 2, "maxLength": 4}},
        ),
        ([{"name": "size", "type": "integer"}, {"name": "note", "type": "array"}], {"size": {}, "note": {}}),
    ],
)
async def test_limits_of_the_target_apply_to_inputs_of_its_type(declared: list[Any], expected: dict[str, Any]) -> None:
    host = unit(LIMITED, inputParameters=declared)
    schemas = {name: item.schema for name, item in inputs(host).items()}
    assert {name: {k: v for k, v in schema.items() if k != "type"} for name, schema in schemas.items()} == expected


async def test_limits_are_checked_before_the_call() -> None:
    assert await sent(unit(LIMITED), size="s", note="abcd") == {"size": "s", "note": "abcd"}
    for arguments in ({"size": "m"}, {"note": "a"}, {"note": "abcde"}):
        with pytest.raises(ArgumentError, match=r"'(size|note)' must be "):
            await sent(unit(LIMITED), **arguments)


@pytest.mark.parametrize(
    ("with_", "arguments", "expected"),
    [
        ({"id": "front.user"}, {"user": 1}, {"id": 1}),
        ({"id": "rest.user"}, {"user": 1}, {"id": 1}),
        ({"id": "tools.user"}, {"user": 1}, {"id": 1}),
        ({"id": "$this.front.user"}, {"user": 1}, {"id": 1}),
        ({"id": "{{user}}"}, {"user": 1}, {"id": 1}),
        ({"id": "{{rest.user}}"}, {"user": 1}, {"id": 1}),
        ({"ID": "rest.user"}, {"user": 1}, {"id": 1}),
        ({"id": 5}, {}, {"id": 5}),
        ({"id": 5, "limit": None}, {}, {"id": 5, "limit": None}),
        ({"id": [1, {"a": "b"}]}, {}, {"id": [1, {"a": "b"}]}),
        (
            {"id": {"a": "{{user}}", "b": ["rest.user", 2, "x{{user}}"]}},
            {"user": 1},
            {"id": {"a": 1, "b": [1, 2, "x1"]}},
        ),
        ({"id": {"a": "{{user}}", "b": ["rest.user", 2], "c": {}}}, {}, {"id": {"b": [2], "c": {}}}),
        ({"id": [["{{VAR}}", {"v": "a {{VAR}}"}]]}, {}, {"id": [["v", {"v": "a v"}]]}),
        ({"id": "user"}, {}, {"id": "user"}),
        ({"id": "id"}, {}, {"id": "id"}),
        ({"id": "elsewhere.user"}, {}, {"id": "elsewhere.user"}),
        ({"id": "rest.user name"}, {"user name": 1}, {"id": 1}),
        ({"id": "tools.$select"}, {"$select": 4}, {"id": 4}),
        ({"id": "rest.page[size]"}, {"page[size]": 2}, {"id": 2}),
        ({"id": "front.@id"}, {"@id": 5}, {"id": 5}),
        ({"id": "{{tools.a<b>~c}}"}, {"a<b>~c": 6}, {"id": 6}),
        ({"id": "rest.created.gte"}, {"created.gte": 3}, {"id": 3}),
        ({"id": "rest.path.user", "limit": "{{rest.query.limit}}-"}, {"user": 1, "limit": 2}, {"id": 1, "limit": "2-"}),
        ({"id": 1, "sortby": "by-{{a}}-{{b}}"}, {"a": "x", "b": 2}, {"id": 1, "Sort-By": "by-x-2"}),
        ({"id": 1, "sortby": "by-{{a}}-{{b}}"}, {}, {"id": 1, "Sort-By": "by--"}),
        ({"id": 1, "limit": "rest.limit"}, {}, {"id": 1}),
        ({"id": 1, "limit": "{{VAR}}"}, {}, {"id": 1, "limit": "v"}),
        ({"id": "rest.a", "limit": "rest.a"}, {"a": 3}, {"id": 3, "limit": 3}),
    ],
)
async def test_with_values(with_: dict[str, Any], arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert await sent(unit(with_=with_), **arguments) == expected


def test_preview_of_nested_values_masks_secrets() -> None:
    host = unit(with_={"id": {"a": ["{{VAR}}", "rest.user", "{{VAR}}-{{user}}"]}})
    (operation,) = host.status()[0].exposer.operations.values()
    assert operation.preview({"user": 1}) == {"arguments": {"id": {"a": ["{{VAR}}", 1, "{{VAR}}-1"]}}}
    assert "'v'" not in repr(operation)


def test_references_name_the_location_of_an_input() -> None:
    host = unit(with_={"id": "rest.header.X-Id", "limit": "rest.body.most", "Sort-By": "{{rest.cookie.sort}}!"})
    assert {name: item.in_ for name, item in inputs(host).items()} == {
        "X-Id": "header",
        "most": "body",
        "sort": "cookie",
    }


async def test_declared_input_with_a_dot_is_not_a_location() -> None:
    host = unit(inputParameters=[{"name": "path.user", "in": "query"}], with_={"id": "rest.path.user"})
    assert await sent(host, **{"path.user": 1}) == {"id": 1}


async def test_with_value_equal_to_an_input_name() -> None:
    declared = [{"name": "id", "type": "integer", "in": "query"}]
    assert await sent(unit(inputParameters=declared, with_={"id": "id"}), id=4) == {"id": 4}


async def test_inputs_without_a_with_value_are_matched_by_name() -> None:
    host = unit(with_={"id": "rest.user"})
    assert list(inputs(host)) == ["user", "limit", "Sort-By"]
    assert await sent(host, user=1, limit=2) == {"id": 1, "limit": 2}


async def test_declared_inputs_exclude_optional_target_inputs() -> None:
    declared = [{"name": "LIMIT", "in": "query", "description": "At most", "type": "string"}]
    host = unit(inputParameters=declared)
    assert list(inputs(host)) == ["id", "LIMIT"] or list(inputs(host)) == ["LIMIT", "id"]
    limit = inputs(host)["LIMIT"]
    assert (limit.type, limit.description, limit.required) == ("string", "At most", False)
    assert await sent(host, id=1, LIMIT="two") == {"id": 1, "limit": "two"}


@pytest.mark.parametrize(
    ("declared", "required"),
    [
        ({"name": "id"}, True),
        ({"name": "id", "required": False}, False),
        ({"name": "limit"}, False),
        ({"name": "limit", "required": True}, True),
        ({"name": "limit", "in": "path"}, True),
    ],
)
def test_required_inputs(declared: dict[str, Any], required: bool) -> None:
    assert inputs(unit(inputParameters=[declared]))[declared["name"]].required is required


async def test_declared_value_is_a_constant() -> None:
    host = unit(inputParameters=[{"name": "limit", "value": 9}])
    assert list(inputs(host)) == ["id", "Sort-By"]
    assert await sent(host, id=1) == {"id": 1, "limit": 9}
    host = unit(inputParameters=[{"name": "limit", "value": 9}], with_={"limit": "rest.n", "id": 1})
    assert await sent(host, n=3) == {"id": 1, "limit": 3}


def test_warnings_for_unused_inputs(snapshot: SnapshotAssertion) -> None:
    host = unit(inputParameters=[{"name": "colour"}], with_={"limits": 1, "id": 2, "colour": 3})
    assert sorted(problem.code for problem in host.warnings) == ["idle-input", "unused-with", "unused-with"]
    assert sorted(problem.message for problem in host.warnings) == snapshot


INPUTS = (
    Input("id", "integer", required=True),
    Input("note", "string"),
    Input("any"),
    Input("must", required=True),
)
ENOUGH = {"id": 1, "must": 0}


@pytest.mark.parametrize(
    ("arguments", "checked"),
    [
        (ENOUGH, ENOUGH),
        ({**ENOUGH, "note": "x", "any": [1]}, {**ENOUGH, "note": "x", "any": [1]}),
        ({**ENOUGH, "note": None}, ENOUGH),
        ({**ENOUGH, "note": ABSENT}, ENOUGH),
        ({**ENOUGH, "any": None}, {**ENOUGH, "any": None}),
        ({**ENOUGH, "any": ABSENT}, ENOUGH),
        ({"id": 1, "must": None}, {"id": 1, "must": None}),
    ],
)
def test_validate_accepts(arguments: dict[str, Any], checked: dict[str, Any]) -> None:
    given = dict(arguments)
    assert compile_validator(INPUTS)(given) == checked
    assert given == arguments, "the caller's mapping is unchanged"


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({}, "id"),
        ({"must": 1, "id": ABSENT}, "id"),
        ({"must": 1, "id": None}, "id"),
        ({"id": 1}, "must"),
        ({**ENOUGH, "id": "1"}, "id"),
        ({**ENOUGH, "notes": "x"}, "notes"),
        ({**ENOUGH, "zzz": "x"}, "zzz"),
        ({**ENOUGH, "Note": "x"}, "Note"),
        ({**ENOUGH, "": "x"}, ""),
    ],
    ids=["none", "absent", "null", "missing", "type", "similar", "unknown", "case", "empty"],
)
def test_validate_rejects(arguments: dict[str, Any], parameter: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ArgumentError) as caught:
        compile_validator(INPUTS)(arguments)
    assert caught.value.parameter == parameter
    assert caught.value.message == snapshot


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.none(), max_size=1)


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(["id", "limit", "Sort-By", "limits"]), VALUES))
async def test_only_validated_arguments_are_sent(arguments: dict[str, Any]) -> None:
    host = unit()
    await host.start(listen=False)
    try:
        await host.call("front.get", arguments)
    except ArgumentError:
        assert Running(host).fake("api").calls == []
        return
    finally:
        await host.stop()
    ((_, result),) = Running(host).fake("api").calls
    assert isinstance(result["id"], int)
    assert result == {name: value for name, value in arguments.items() if value is not None}


async def test_constant_outputs() -> None:
    host = unit(
        call=None,
        inputParameters=[{"name": "name", "type": "string", "required": True}],
        outputParameters=[
            {"name": "greeting", "type": "string", "value": "Hello, {{name}}!"},
            {"name": "times", "type": "number", "value": "{{times}}"},
            {"name": "tags", "type": "array", "items": [{"value": "a"}, {"type": "number", "value": "1"}]},
            {"name": "deep", "type": "object", "properties": {"er": {"type": "boolean", "value": "true"}}},
        ],
    )
    assert {name: declared.required for name, declared in inputs(host).items()} == {"name": True, "times": False}
    await host.start(listen=False)
    result = await host.call("front.get", {"name": "Ann", "times": "3"})
    assert result.data == {"greeting": "Hello, Ann!", "times": 3, "tags": ["a", 1], "deep": {"er": True}}
    assert (await host.call("front.get", {"name": "Ann"})).data["times"] is None
    with pytest.raises(ArgumentError, match="'name' is required"):
        await host.call("front.get")
    await host.stop()
