"""Budgets, tasks, skills, the search and notifications of included entries are those of their own exposer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from mcp import Client
from mcp_types import TextContent, TextResourceContents

from adapter_host import CallRecord, Host, McpEndpoint, Plugins, Result, Settings
from adapter_host.testing import FakePlugin, Running

Document = dict[str, Any]
ITEMS = [{"id": number, "name": f"Order {number}"} for number in range(100)]
JOB = {"inputParameters": [{"name": "id", "in": "path", "type": "string", "required": True}]}
VERSION = "2026-07-28"
TASKS = "io.modelcontextprotocol/tasks"
TASK = {
    "with": {"id": "$.job"},
    "poll": {"call": "api.read"},
    "status": "$.state",
    "done": ["done"],
    "result": "$.orders",
}
ORDERS: Document = {
    "type": "mcp",
    "namespace": "orders",
    "port": 0,
    "x-skills": ["guides"],
    "tools": [
        {"name": "list", "description": "Lists orders", "x-budget": 200, "call": "api.list"},
        {"name": "pack", "description": "Packs orders", "x-task": TASK, "call": "api.pack"},
    ],
}
GUIDES = {
    "type": "skill",
    "namespace": "guides",
    "port": 0,
    "skills": [
        {
            "name": "packing",
            "description": "How to pack",
            "tools": [
                {"name": "pack", "description": "Packs", "from": {"sourceNamespace": "orders", "action": "pack"}}
            ],
        }
    ],
}


def document(*exposers: Document, label: str = "Orders") -> Document:
    operations = [{"name": "list"}, {"name": "pack"}, {"name": "read", **JOB}]
    consumed = {"type": "fake", "namespace": "api", "operations": operations}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": label},
        "capability": {"consumes": [consumed], "exposes": list(exposers)},
    }


def desk(**keys: Any) -> Document:
    include = {"namespace": "orders", "prefix": "o_"}
    return {"type": "mcp", "namespace": "desk", "port": 0, "tools": [], "x-include": [include], **keys}


@asynccontextmanager
async def serving(*documents: Document | Path, **settings: Any) -> AsyncIterator[Running]:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    async with Host(*documents, plugins=plugins, settings=Settings(environment={}, **settings)) as host:
        yield Running(host)


@pytest.mark.parametrize("mode", ["legacy", VERSION])
async def test_a_result_over_the_budget_of_its_tool_is_continued(mode: str) -> None:
    async with serving(document(ORDERS, GUIDES, desk())) as running:
        running.fake("api").responses["list"] = lambda _: {"items": ITEMS}
        async with Client(running.url("desk"), mode=mode) as client:
            first = await client.call_tool("o_list", {})
            assert first.meta is not None
            numbers = first.meta["adapter-host/budget"]
            following = await client.call_tool("next_items", {"cursor": numbers["cursor"]})
            (complete,) = (await client.read_resource(numbers["uri"])).contents
        assert running.fake("api").calls == [("list", {})]
    assert numbers["total"] == 100
    assert following.structured_content is not None
    assert following.structured_content["items"][0] == ITEMS[numbers["shown"]]
    assert isinstance(complete, TextResourceContents)
    assert orjson.loads(complete.text) == {"items": ITEMS}


async def test_a_tool_without_a_budget_has_that_of_the_exposer_that_includes_it() -> None:
    tools = [{"name": "list", "call": "api.list"}, {"name": "all", "x-budget": False, "call": "api.list"}]
    plain = {"type": "mcp", "namespace": "orders", "port": 0, "tools": tools}
    async with serving(document(plain, desk(**{"x-budget": 200}))) as running:
        running.fake("api").responses["list"] = lambda _: {"items": ITEMS}
        sizes = []
        for namespace, name in (("orders", "list"), ("desk", "o_list"), ("desk", "o_all")):
            async with Client(running.url(namespace)) as client:
                called = await client.call_tool(name, {})
                assert called.structured_content is not None
                sizes.append(len(called.structured_content["items"]))
    assert (sizes[0], sizes[1] < 100, sizes[2]) == (100, True, 100)


async def test_a_task_is_polled_through_the_exposer_that_includes_its_tool() -> None:
    records: list[CallRecord] = []
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}},
    }
    async with (
        serving(document(ORDERS, GUIDES, desk()), access_log=records.append) as running,
        aiohttp.ClientSession() as session,
    ):
        api = running.fake("api")
        api.responses |= {
            "pack": lambda _: Result(status=202, data={"job": "7"}),
            "read": lambda _: Result(data={"state": "done", "orders": [1, 2]}),
        }

        async def ask(method: str, **params: Any) -> Any:
            headers = {"Accept": "application/json", "MCP-Protocol-Version": VERSION, "Mcp-Method": method}
            headers |= {"Mcp-Name": params["name"]} if "name" in params else {}
            message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
            async with session.post(running.url("desk"), json=message, headers=headers) as response:
                return (await response.json())["result"]

        begun = await ask("tools/call", name="o_pack", arguments={})
        ended = await ask("tasks/get", taskId=begun["taskId"])
        assert api.calls == [("pack", {}), ("read", {"id": "7"})]
    assert (begun["resultType"], ended["status"]) == ("task", "completed")
    assert orjson.loads(ended["result"]["content"][0]["text"]) == [1, 2]
    assert [(each.site.exposer, each.operation is not None) for each in records] == [("orders", True)] * 2


async def test_skills_are_served_and_are_groups_of_the_search() -> None:
    async with serving(document(ORDERS, GUIDES, desk(**{"x-discovery": "search"}))) as running:
        async with Client(running.url("desk"), mode=VERSION) as client:
            (text,) = (await client.read_resource("skill://guides/packing/SKILL.md")).contents
            found = [
                await client.call_tool("search_tools", {"query": "orders", "group": g}) for g in ("packing", "orders")
            ]
            called = await client.call_tool("call_tool", {"name": "o_list", "arguments": {}})
        async with Client(running.url("orders"), mode=VERSION) as client:
            (own,) = (await client.read_resource("skill://guides/packing/SKILL.md")).contents
    assert text == own
    names = [[tool["name"] for tool in each.structured_content["tools"]] for each in found if each.structured_content]
    assert [sorted(each) for each in names] == [["o_pack"], ["o_list", "o_pack"]]
    assert not called.is_error


async def test_a_reload_without_a_file_notifies_and_removes_its_tools(tmp_path: Path) -> None:
    files = []
    for name in ("orders", "people"):
        files.append(tmp_path / f"{name}.yaml")
        tools = [{"name": "list", "call": "api.list"}]
        exposer = {"type": "mcp", "namespace": name, "port": 0, "tools": tools}
        files[-1].write_bytes(orjson.dumps(document(exposer, label=name)))
    async with (
        serving(tmp_path, mcp_endpoint=McpEndpoint(port=0)) as running,
        aiohttp.ClientSession() as session,
    ):
        url = running.url("adapter-host")
        async with session.get(url, headers={"Accept": "text/event-stream"}) as stream, Client(url) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["orders_list", "people_list"]
            files[1].unlink()
            await running.host.reload()
            async for line in stream.content:
                if line.startswith(b"data:"):
                    assert orjson.loads(line[5:])["method"] == "notifications/tools/list_changed"
                    break
            assert [tool.name for tool in (await client.list_tools()).tools] == ["orders_list"]
            result = await client.call_tool("orders_list", {})
    assert isinstance(result.content[0], TextContent)
