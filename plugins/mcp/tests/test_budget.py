"""`x-budget`: parts of large results, the items after them, and the complete results that are held."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client, MCPError
from mcp_types import CallToolResult, ResourceLink, TextContent

import adapter_host_mcp
from adapter_host import ArgumentError, Host, NotFoundError, Plugins, Principal, ProblemsError, Result, Settings
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_mcp.budget import held as held_module
from adapter_host_mcp.budget.held import GONE, Held, HeldResults
from adapter_host_mcp.budget.limits import MOST_CALLER_RESULTS
from adapter_host_mcp.budget.next_items import next_items_tool
from adapter_host_mcp.budget.results import META_KEY, Budget
from adapter_host_mcp.budget_config import BudgetSpec
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.features.tool_calls import compile_call
from adapter_host_mcp.features.tools import Tool

ITEMS = [{"id": number, "name": f"Ørder {number}"} for number in range(100)]
ITEM = {"type": "object", "properties": {"id": {"type": "number"}, "name": {"type": "string"}}}
SHAPE = {
    "type": "object",
    "properties": {"total": {"type": "number"}, "items": {"type": "array", "items": ITEM}},
}
ERAS = pytest.mark.parametrize("era", ["legacy", "2026-07-28"])


def document(*, exposer: Any = 200, **budgets: Any) -> dict[str, Any]:
    """Return a document with a budget of the exposer, and those of the tools `plain` and `typed`; None for none."""
    tools: list[dict[str, Any]] = [
        {"name": "plain", "description": "Lists", "call": "stock.list"},
        {"name": "typed", "description": "Lists", "call": "stock.list", "outputParameters": [SHAPE]},
    ]
    for tool in tools:
        tool |= {"x-budget": budgets[tool["name"]]} if tool["name"] in budgets else {}
    exposed = {"type": "mcp", "namespace": "shop", "port": 0, "tools": tools}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {
            "consumes": [{"type": "fake", "namespace": "stock", "operations": [{"name": "list"}]}],
            "exposes": [exposed if exposer is None else {**exposed, "x-budget": exposer}],
        },
    }


def build(described: dict[str, Any]) -> tuple[Running, McpExposer]:
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    host = Host(described, plugins=plugins, settings=Settings(environment={}))
    exposer = host.status()[0].exposer
    assert isinstance(exposer, McpExposer)
    return Running(host), exposer


@asynccontextmanager
async def served(described: dict[str, Any], data: Any, era: str) -> AsyncIterator[Client]:
    async with running(described) as host:
        host.fake("stock").responses["list"] = lambda _: data
        async with Client(host.url("shop"), mode=era) as client:
            yield client


def data_of(result: CallToolResult) -> Any:
    """Return the JSON in the first block of content, which structured content repeats."""
    assert not result.is_error
    block = result.content[0]
    assert isinstance(block, TextContent)
    data = json.loads(block.text)
    assert result.structured_content == data
    return data


def numbers_of(result: CallToolResult) -> dict[str, Any]:
    assert result.meta is not None
    return dict(result.meta[META_KEY])


async def text_at(client: Client, uri: str) -> str:
    (contents,) = (await client.read_resource(uri)).contents
    return str(getattr(contents, "text", None))


@ERAS
@pytest.mark.parametrize("tool", ["plain", "typed"])
async def test_parts_make_up_the_complete_result(era: str, tool: str) -> None:
    complete = {"total": 100, "items": ITEMS}
    async with served(document(), complete, era) as client:
        result = await client.call_tool(tool, {})
        first, numbers = data_of(result), numbers_of(result)
        _, note, link = result.content
        assert isinstance(note, TextContent)
        assert isinstance(link, ResourceLink)
        assert (numbers["path"], numbers["total"], numbers["offset"]) == ("$.items", 100, 0)
        assert len(json.dumps(first, separators=(",", ":"), ensure_ascii=False).encode()) <= 600
        assert numbers["cursor"] in note.text
        assert link.uri == numbers["uri"]
        assert link.size == numbers["size"]
        items, parts = first["items"], 1
        while "cursor" in numbers:
            result = await client.call_tool("next_items", {"cursor": numbers["cursor"]})
            part, numbers = data_of(result), numbers_of(result)
            assert part["total"] == 100
            assert numbers["offset"] == len(items)
            items, parts = items + part["items"], parts + 1
        assert items == ITEMS
        assert parts > 5
        assert json.loads(await text_at(client, str(link.uri))) == complete


@ERAS
async def test_a_result_without_items_to_leave_out_is_replaced_by_a_link(era: str) -> None:
    text = "long " * 1000
    async with served(document(), {"text": text}, era) as client:
        result = await client.call_tool("plain", {})
        note, link = result.content
        assert isinstance(note, TextContent)
        assert isinstance(link, ResourceLink)
        assert not result.is_error
        assert result.structured_content is None
        assert numbers_of(result)["shown"] == 0
        assert json.loads(await text_at(client, str(link.uri))) == {"text": text}


async def test_a_replaced_result_has_the_emptiest_structured_content() -> None:
    host, exposer = build(document())
    host.fake("stock").responses["list"] = lambda _: {"items": [{"id": 1, "name": "x" * 5000}]}
    members, _ = await compile_call(exposer.tools["typed"])({}, {}, allow_any_json=True)
    assert json.loads(b"{%b}" % members)["structuredContent"] == {}


@pytest.mark.parametrize(
    "result",
    [
        Result(data={"items": ITEMS[:5]}),
        Result(body=b"\x89PNG" * 500, media_type="image/png"),
        Result(body=json.dumps({"items": ITEMS[:5]}, indent=80).encode()),
    ],
    ids=["small", "image", "white space"],
)
async def test_results_within_the_budget_are_whole(result: Result) -> None:
    host, exposer = build(document())
    host.fake("stock").responses["list"] = lambda _: result
    members, _ = await compile_call(exposer.tools["plain"])({}, {}, allow_any_json=True)
    content = json.loads(b"{%b}" % members)
    assert len(content["content"]) == 1
    assert "_meta" not in content


async def test_clients_of_old_revisions_get_no_link_blocks() -> None:
    host, exposer = build(document())
    host.fake("stock").responses["list"] = lambda _: ITEMS
    members, _ = await compile_call(exposer.tools["plain"])({}, {}, allow_any_json=False)
    content = json.loads(b"{%b}" % members)
    assert [block["type"] for block in content["content"]] == ["text", "text"]
    assert content["_meta"][META_KEY]["uri"] in content["content"][1]["text"]


@ERAS
async def test_tools_have_a_large_budget_by_default(era: str) -> None:
    many = [{"id": number, "name": "x" * 90} for number in range(4000)]
    async with served(document(exposer=None), many, era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["plain", "typed"]
        result = await client.call_tool("plain", {})
        numbers = numbers_of(result)
        assert "cursor" not in numbers
        assert numbers["total"] == 4000
        assert 2000 < numbers["shown"] < 4000
        assert json.loads(await text_at(client, numbers["uri"])) == many


@pytest.mark.parametrize(
    ("described", "listed"),
    [
        (document(exposer=False), ["plain", "typed"]),
        (document(exposer=None, typed="64KiB"), ["plain", "typed", "next_items"]),
        (document(plain=False), ["plain", "typed", "next_items"]),
    ],
)
async def test_next_items_is_listed_where_a_budget_is_declared(described: dict[str, Any], listed: list[str]) -> None:
    _, exposer = build(described)
    assert [entry.title for entry in exposer.catalog()] == listed


def test_inspect_shows_declared_budgets() -> None:
    _, exposer = build(document(exposer={"tokens": 8000}, plain="64KiB"))
    assert [entry.details.get("budget") for entry in exposer.catalog()] == ["64KiB", "8,000 tokens", None]


async def test_a_tool_without_a_budget_has_whole_results() -> None:
    host, exposer = build(document(plain=False))
    host.fake("stock").responses["list"] = lambda _: ITEMS
    members, _ = await compile_call(exposer.tools["plain"])({}, {}, allow_any_json=True)
    assert json.loads(b"{%b}" % members)["structuredContent"] == ITEMS


async def test_search_calls_tools_within_their_budget() -> None:
    described = document()
    described["capability"]["exposes"][0]["x-discovery"] = "search"
    async with served(described, {"items": ITEMS}, "2026-07-28") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["search_tools", "call_tool", "next_items"]
        result = await client.call_tool("call_tool", {"name": "plain"})
        numbers = numbers_of(result)
        following = await client.call_tool("next_items", {"cursor": numbers["cursor"]})
        assert data_of(following)["items"][0] == ITEMS[numbers["shown"]]


def held_result(body: bytes = b"[1, 2]", held_for: float = 60.0) -> Held:
    return Held("plain", "application/json", [], held_for, body)


async def test_held_results_are_those_of_their_caller() -> None:
    _, exposer = build(document())
    held = HeldResults(exposer.context)
    with exposer.context.call(principal=Principal("ann")):
        held_id = await held.hold(held_result())
        assert held_id is not None
        assert await held.read(held_id) == held_result()
    for principal in (Principal("bob"), None):
        with exposer.context.call(principal=principal), pytest.raises(NotFoundError, match=GONE):
            await held.read(held_id)
    for other in ("A" * 24, held_id + "0", "", "../index"):
        with exposer.context.call(principal=Principal("ann")), pytest.raises(NotFoundError, match=GONE):
            await held.read(other)


async def test_the_oldest_held_results_of_a_caller_are_dropped() -> None:
    _, exposer = build(document())
    held = HeldResults(exposer.context)
    with exposer.context.call(principal=Principal("bob")):
        of_bob = await held.hold(held_result())
    with exposer.context.call(principal=Principal("ann")):
        ids = [await held.hold(held_result()) for _ in range(MOST_CALLER_RESULTS + 1)]
        with pytest.raises(NotFoundError):
            await held.read(str(ids[0]))
        assert await held.read(str(ids[1])) == await held.read(str(ids[-1]))
        large = held_result(b"x" * (3 * 2**20))
        ids = [await held.hold(large) for _ in range(6)]
        with pytest.raises(NotFoundError):
            await held.read(str(ids[0]))
        assert await held.read(str(ids[1])) == large
        assert await held.hold(held_result(b"x" * (17 * 2**20))) is None
    with exposer.context.call(principal=Principal("bob")):
        assert await held.read(str(of_bob)) == held_result()


async def test_the_oldest_held_results_of_all_callers_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_module, "MOST_RESULTS", 3)
    _, exposer = build(document())
    held = HeldResults(exposer.context)
    ids = {}
    for name in ("ann", "bob", "cem", "dan"):
        with exposer.context.call(principal=Principal(name)):
            ids[name] = str(await held.hold(held_result()))
    with exposer.context.call(principal=Principal("ann")), pytest.raises(NotFoundError):
        await held.read(ids["ann"])
    with exposer.context.call(principal=Principal("bob")):
        assert await held.read(ids["bob"]) == held_result()


async def test_a_result_that_cannot_be_held_is_whole() -> None:
    host, exposer = build(document())
    complete = {"text": "x" * (17 * 2**20)}
    host.fake("stock").responses["list"] = lambda _: complete
    members, _ = await compile_call(exposer.tools["plain"])({}, {}, allow_any_json=True)
    assert json.loads(b"{%b}" % members)["structuredContent"] == complete


@ERAS
async def test_unknown_cursors_and_links_are_errors(era: str) -> None:
    async with served(document(), ITEMS, era) as client:
        gone = await client.call_tool("next_items", {"cursor": f"{'A' * 24}.5"})
        assert gone.is_error
        assert getattr(gone.content[0], "text", "") == GONE
        invalid = await client.call_tool("next_items", {"cursor": "5"})
        assert invalid.is_error
        with pytest.raises(MCPError, match=GONE):
            await client.read_resource(f"result://shop/{'A' * 24}")
        with pytest.raises(MCPError, match="resource not found"):
            await client.read_resource("result://other/5")
        assert (await client.list_resources()).resources == []


async def test_cursors_after_the_last_item_are_errors() -> None:
    host, exposer = build(document())
    host.fake("stock").responses["list"] = lambda _: {"items": ITEMS}
    members, _ = await compile_call(exposer.tools["plain"])({}, {}, allow_any_json=True)
    cursor = json.loads(b"{%b}" % members)["_meta"][META_KEY]["cursor"]
    held_id = cursor.partition(".")[0]
    following = next_items_tool(exposer.tools, HeldResults(exposer.context), exposer.tools["plain"])
    with pytest.raises(ArgumentError):
        await following.operation.call({"cursor": f"{held_id}.100"})


@pytest.mark.parametrize(
    ("described", "code"),
    [
        (document(exposer={"tokens": 500, "size": "1MiB"}), "invalid"),
        (document(exposer=5), "type"),
        (document(exposer="5B"), "invalid"),
        (document(exposer={"heldFor": 0}), "type"),
    ],
)
def test_invalid_budgets_are_problems(described: dict[str, Any], code: str) -> None:
    with pytest.raises(ProblemsError) as raised:
        build(described)
    assert {problem.code for problem in raised.value.problems} == {code}


def test_a_tool_with_the_name_of_the_added_one_is_a_problem() -> None:
    described = document()
    described["capability"]["exposes"][0]["tools"][0]["name"] = "next_items"
    with pytest.raises(ProblemsError) as raised:
        build(described)
    assert [problem.code for problem in raised.value.problems] == ["reserved-name"]


HOST, EXPOSER = build(document())
SCHEMA = EXPOSER.tools["typed"].definition(allow_any_json=False)["outputSchema"]
NAMES = st.none() | st.text(max_size=60)
RESULTS = st.fixed_dictionaries(
    {
        "total": st.integers(-(2**70), 2**70) | st.none(),
        "items": st.lists(st.fixed_dictionaries({"id": st.integers(), "name": NAMES}), max_size=40),
    }
)


def with_limit(tool: Tool, limit: int) -> Tool:
    assert isinstance(tool.budget, Budget)
    spec = BudgetSpec.model_construct(size=f"{limit}B")
    return replace(tool, budget=replace(tool.budget, spec=spec), most_bytes=limit)


@settings(max_examples=60, deadline=None)
@given(RESULTS, st.integers(1, 2000))
async def test_parts_make_up_any_result(complete: dict[str, Any], limit: int) -> None:
    HOST.fake("stock").responses["list"] = lambda _: complete
    tool = with_limit(EXPOSER.tools["typed"], limit)
    held = HeldResults(EXPOSER.context)
    following = next_items_tool({"typed": tool}, held, tool)
    members, _ = await compile_call(tool)({}, {}, allow_any_json=False)
    result: dict[str, Any] = json.loads(b"{%b}" % members)
    items: list[Any] = []
    while True:
        data, numbers = result["structuredContent"], result.get("_meta", {}).get(META_KEY)
        Draft202012Validator(SCHEMA).validate(data)
        if numbers is None or "path" not in numbers:
            break
        assert data["total"] == complete["total"]
        items += data["items"] if numbers["shown"] else [complete["items"][numbers["offset"]]]
        if "cursor" not in numbers:
            break
        members, _ = await compile_call(following)({"cursor": numbers["cursor"]}, {}, allow_any_json=False)
        result = json.loads(b"{%b}" % members)
    if numbers is None:
        assert data == complete
    elif "path" in numbers:
        assert items == complete["items"]
    else:
        held_id = numbers["uri"].rpartition("/")[2]
        assert json.loads((await held.read(held_id)).body) == complete
