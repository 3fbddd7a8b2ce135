"""`select` of `x-budget`: callers choose the fields of a result."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client
from mcp_types import TextContent

import adapter_host_mcp
from adapter_host import Host, Plugins, ProblemsError, Result
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_mcp.budget.fields import FieldIndex, PathList, choose, format_path, only_chosen, parse_path
from adapter_host_mcp.budget.relaxed import relax_schema
from adapter_host_mcp.budget.results import META_KEY
from adapter_host_mcp.features.tool_calls import compile_call

from .test_tasks import TASK, VERSION, Pottery
from .test_tasks import document as task_document

MAKER = {"type": "object", "required": ["town"], "properties": {"town": {"type": "string"}}, "minProperties": 1}
PRICES = {"type": "object", "additionalProperties": {"type": "object", "properties": {"net": {"type": "number"}}}}
ITEM: dict[str, Any] = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "maker": {"oneOf": [MAKER, {"type": "null"}]},
        "prices": PRICES,
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["total", "items"],
    "properties": {"total": {"type": "integer"}, "items": {"type": "array", "items": ITEM}},
}
ITEMS = [
    {"id": n, "name": f"tea {n}", "maker": {"town": "Oslo"} if n % 2 else None, "prices": {"EUR": {"net": n}}}
    for n in range(80)
]
COMPLETE = {"total": 80, "items": ITEMS}
PLAIN: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
ERAS = pytest.mark.parametrize("era", ["legacy", "2026-07-28"])


def document(budget: Any = None, schema: Any = SCHEMA, **keys: Any) -> dict[str, Any]:
    described = {} if schema is None else {"outputParameters": [{"name": "all", "value": "$", "x-schema": schema}]}
    plain = {"name": "plain", "call": "stock.list", "outputParameters": [{"name": "all", "value": "$"}]}
    tools = [
        {"name": "list", "description": "Lists", "call": "stock.list"},
        {**plain, "description": "Lists", "x-budget": True},
    ]
    exposed = {"type": "mcp", "namespace": "shop", "port": 0, "tools": tools, **keys}
    exposed["x-budget"] = {"tokens": 200, "select": True} if budget is None else budget
    listed: dict[str, Any] = {"name": "list", **described}
    consumed = {"type": "fake", "namespace": "stock", "operations": [listed]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": [exposed]}}


def serve(described: dict[str, Any] | None = None) -> Any:
    return running(described or document())


def respond(host: Running, data: Any = COMPLETE) -> None:
    host.fake("stock").responses["list"] = lambda _: data


def text_of(result: Any) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


@ERAS
async def test_a_result_has_the_chosen_fields_at_any_depth(era: str) -> None:
    async with serve() as host:
        respond(host)
        async with Client(host.url("shop"), mode=era) as client:
            result = await client.call_tool("list", {"select": ["total", "items.maker.town", "items.prices.EUR"]})
            (tool,) = [each for each in (await client.list_tools()).tools if each.name == "list"]
    data = json.loads(text_of(result))
    assert result.structured_content == data
    assert data["total"] == 80
    assert data["items"][:2] == [
        {"maker": None, "prices": {"EUR": {"net": 0}}},
        {"maker": {"town": "Oslo"}, "prices": {"EUR": {"net": 1}}},
    ]
    assert tool.output_schema is not None
    Draft202012Validator(tool.output_schema).validate(data)
    assert "required" not in json.dumps(tool.output_schema)
    assert host.fake("stock").calls == [("list", {})]


@ERAS
async def test_the_budget_and_the_held_result_are_those_of_the_selection(era: str) -> None:
    async with serve() as host:
        respond(host)
        async with Client(host.url("shop"), mode=era) as client:
            result = await client.call_tool("list", {"select": ["items.name"]})
            items, parts = [], 0
            while True:
                assert result.structured_content == json.loads(text_of(result))
                items += result.structured_content["items"]
                parts += 1
                numbers = (result.meta or {})[META_KEY]
                if "cursor" not in numbers:
                    break
                result = await client.call_tool("next_items", {"cursor": numbers["cursor"]})
            (held,) = (await client.read_resource(numbers["uri"])).contents
            small = await client.call_tool("list", {"select": ["total"]})
    assert items == [{"name": item["name"]} for item in ITEMS]
    assert parts == 3
    assert json.loads(getattr(held, "text", "")) == {"items": items}
    assert small.structured_content == {"total": 80}
    assert META_KEY not in (small.meta or {})


@pytest.mark.parametrize(
    ("select", "messages"),
    [
        (["items.nam"], ["unknown field 'items.nam' in 'select'; did you mean 'items.name'?"]),
        (["total", "town"], ["unknown field 'town' in 'select'; did you mean 'items.maker.town'?"]),
        (["zz"], ["unknown field 'zz' in 'select' (known: total, items)"]),
        ([5, "items..id"], ["unknown field '5' in 'select'", "unknown field 'items..id' in 'select'"]),
        ("total", ["'select' must be an array"]),
        (["zz"] * 200, ["unknown field 'zz' in 'select'"] * 5),
        (["total"] * 300, ["'select' must have at most 256 fields (given 300)"]),
    ],
)
async def test_an_unknown_field_is_an_error_before_the_call(select: Any, messages: list[str]) -> None:
    async with serve() as host, Client(host.url("shop"), mode=VERSION) as client:
        result = await client.call_tool("list", {"select": select})
        assert host.fake("stock").calls == []
    assert result.is_error
    lines = text_of(result).split("\n")
    assert len(lines) == len(messages)
    assert all(line.startswith(message) for line, message in zip(lines, messages, strict=True))


@pytest.mark.parametrize("arguments", [{}, {"select": []}, {"select": None}])
async def test_a_result_is_complete_without_fields(arguments: dict[str, Any]) -> None:
    async with serve(document({"select": True})) as host:
        respond(host)
        async with Client(host.url("shop"), mode=VERSION) as client:
            assert (await client.call_tool("list", arguments)).structured_content == COMPLETE


async def test_text_results_and_json_texts() -> None:
    async with serve(document({"enabled": False, "select": True}, **{"x-results": "text"})) as host:
        respond(host)
        async with Client(host.url("shop"), mode=VERSION) as client:
            result = await client.call_tool("list", {"select": '["total"]'})
            respond(host, Result(body=b"no JSON", media_type="text/plain"))
            other = await client.call_tool("list", {"select": ["total"]})
    assert (text_of(result), result.structured_content) == ('{"total":80}', None)
    assert text_of(other) == "no JSON"


async def test_the_search_finds_the_argument_and_passes_it_on() -> None:
    async with serve(document(**{"x-discovery": "search"})) as host:
        respond(host)
        async with Client(host.url("shop"), mode=VERSION) as client:
            found = json.loads(text_of(await client.call_tool("search_tools", {"query": "list"})))
            passed = {"name": "list", "arguments": {"select": ["items.id"]}}
            result = await client.call_tool("call_tool", passed)
            wrong = await client.call_tool("call_tool", {"name": "list", "arguments": {"select": ["id"]}})
    schema = next(tool for tool in found["tools"] if tool["name"] == "list")["inputSchema"]
    assert "items.id" in schema["properties"]["select"]["description"]
    assert json.loads(text_of(result))["items"][:2] == [{"id": 0}, {"id": 1}]
    assert text_of(wrong) == "unknown field 'id' in 'select'; did you mean 'items.id'?"


async def test_the_result_of_a_task_has_the_chosen_fields() -> None:
    described = task_document(TASK, **{"x-budget": {"select": True}})
    pots = {"type": "object", "properties": {"state": {"type": "string"}, "pots": {"type": "array", "items": PLAIN}}}
    described["capability"]["consumes"][0]["operations"][1]["outputParameters"] = [
        {"name": "all", "value": "$", "x-schema": pots}
    ]
    async with running(described) as host, aiohttp.ClientSession() as session:
        kiln = Pottery(host.url("pottery"), host.fake("kiln"), session)
        created = await kiln.ask("tools/call", name="fire", arguments={"celsius": 1240, "select": ["name"]})
        kiln.respond(state="fired", pots=[{"id": 1, "name": "Vase"}])
        finished = await kiln.get(created["taskId"])
        wrong = await kiln.ask("tools/call", name="fire", arguments={"celsius": 1240, "select": ["state"]})
        kiln.kiln.responses["fire"] = lambda _: [{"id": 2, "name": "Bowl"}]
        immediate = await kiln.ask("tools/call", name="fire", arguments={"celsius": 1240, "select": ["id"]})
    assert json.loads(finished["result"]["content"][0]["text"]) == [{"name": "Vase"}]
    assert kiln.kiln.calls[0] == ("fire", {"celsius": 1240})
    assert json.loads(immediate["content"][0]["text"]) == [{"id": 2}]
    assert wrong["isError"]
    assert wrong["content"][0]["text"].startswith("unknown field 'state'")


def build(described: dict[str, Any]) -> Any:
    host = Host(described, plugins=Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()}))
    return host.status()[0].exposer


def test_inspect_shows_the_tokens_of_each_field() -> None:
    entries = {entry.title: entry.details for entry in build(document()).catalog()}
    shown = entries["list"]["select"]
    assert list(shown["fields"])[:4] == ["total", "items", "items.id", "items.name"]
    assert all(0 < tokens < shown["exampleTokens"] for tokens in shown["fields"].values())
    assert "select" not in entries["plain"]


async def test_a_tool_without_it_is_called_as_before() -> None:
    exposer, other = build(document()), build(document({"tokens": 200}))
    tool = other.tools["list"]
    assert tool.selection is None
    assert "select" not in tool.input_schema["properties"]
    assert tool.output_schema["required"] == ["total", "items"]
    assert exposer.tools["plain"].selection is None
    members, _ = await compile_call(tool)({"select": ["total"]}, {}, allow_any_json=True)
    assert b"unknown parameter 'select'" in members


@pytest.mark.parametrize(
    ("schema", "tool", "code", "keys"),
    [
        (None, {"x-budget": {"select": True}}, "select-without-schema", ("x-budget", "select")),
        ({"type": "string"}, {"x-budget": {"select": True}}, "select-without-schema", ("x-budget", "select")),
        (SCHEMA, {"inputParameters": [{"name": "select", "type": "string"}]}, "reserved-name", ("x-budget", "select")),
        (SCHEMA, {"x-budget": {"select": "some"}}, "type", ("x-budget", "select")),
    ],
)
def test_a_selection_that_cannot_be_is_a_problem(schema: Any, tool: Any, code: str, keys: Any) -> None:
    described = document({"select": True}, schema)
    if tool.get("inputParameters"):
        described["capability"]["consumes"][0]["operations"][0] |= tool
    else:
        described["capability"]["exposes"][0]["tools"][0] |= tool
    with pytest.raises(ProblemsError) as raised:
        build(described)
    (problem,) = [each for each in raised.value.problems if not each.warning]
    assert (problem.code, "select" in problem.message) == (code, True)


def test_a_selection_of_no_tool_is_a_warning() -> None:
    host = Host(document(schema=None), plugins=Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()}))
    (warning,) = [each for each in host.warnings if each.code == "ignored"]
    assert "no tool has a schema" in warning.message


def test_paths_of_odd_names() -> None:
    for names in (("a",), ("a", "b"), ("a.b", "c"), ("", "x"), ("a", 'q"uote', "[0]"), ("*",)):
        assert parse_path(format_path(names)) == names
    for text in ("", ".", "a.", ".a", "a..b", "a[", 'a["b', "a]b", "x" * 1001):
        assert parse_path(text) is None


def test_a_schema_within_itself_has_fields_at_any_depth() -> None:
    node = {"type": "object", "properties": {"name": {"type": "string"}, "children": {"$ref": "#/$defs/Nodes"}}}
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": node, "Nodes": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    }
    fields = FieldIndex(schema).root
    listed = PathList(64)
    listed.add(fields)
    assert (listed.paths, listed.complete) == ([("name",), ("children",)], False)
    for name in ("children", "children", "children", "name"):
        below = fields.child(name)
        assert below is not None
        fields = below
    assert not fields.has_any


KINDS = st.fixed_dictionaries(
    {"kind": st.just("a"), "size": st.integers(0, 3), "tags": st.lists(st.text(max_size=2), unique=True, max_size=3)}
) | st.fixed_dictionaries(
    {"kind": st.just("b"), "note": st.text(max_size=3), "inner": st.dictionaries(st.just("x"), st.integers())}
)
STRICT: dict[str, Any] = {
    "type": "array",
    "uniqueItems": True,
    "items": {
        "oneOf": [
            {
                "type": "object",
                "required": ["kind", "size", "tags"],
                "properties": {"kind": {"const": "a"}, "size": {"type": "integer"}, "tags": {"type": "array"}},
                "additionalProperties": False,
            },
            {
                "type": "object",
                "required": ["kind", "note"],
                "minProperties": 2,
                "properties": {"kind": {"const": "b"}, "note": {"type": "string"}, "inner": {"type": "object"}},
                "additionalProperties": False,
            },
        ],
        "not": {"maxProperties": 1},
        "if": {"required": ["size"]},
        "then": {"properties": {"kind": {"const": "a"}}},
        "else": {"required": ["note"]},
    },
}
PATHS = st.lists(st.sampled_from([("kind",), ("size",), ("tags",), ("note",), ("inner", "x")]), min_size=1)


@given(st.lists(KINDS, max_size=4, unique_by=lambda item: json.dumps(item, sort_keys=True)), PATHS)
def test_selected_fields_of_a_valid_result_meet_the_published_schema(data: Any, paths: Any) -> None:
    Draft202012Validator(STRICT).validate(data)
    Draft202012Validator(relax_schema(STRICT)).validate(only_chosen(data, choose(paths)))
