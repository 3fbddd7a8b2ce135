"""`x-include` of `type: mcp`: tools, resources and prompts of other exposers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from mcp import Client, MCPError

from adapter_host import CallRecord, Host, Plugins, ProblemsError, Settings
from adapter_host.testing import FakeConsumer, FakePlugin, Running

Document = dict[str, Any]
BEARER = {"type": "bearer", "token": "right"}

TOOLS = [
    {"name": "list", "tags": ["reads"], "hints": {"readOnly": True}, "call": "api.list"},
    {"name": "cancel", "tags": ["writes"], "call": "api.cancel"},
    {"name": "note", "tags": ["writes"], "hints": {"destructive": False}, "call": "api.note"},
]
PROMPTS = [{"name": "ask", "template": [{"role": "user", "content": "Why?"}]}]


def document(*exposers: Document, label: str = "Orders") -> Document:
    operations = [{"name": name} for name in ("list", "cancel", "note")]
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": label},
        "capability": {
            "consumes": [{"type": "fake", "namespace": "api", "operations": operations}],
            "exposes": list(exposers),
        },
    }


def exposer(namespace: str, *includes: Document, tools: Any = (), **keys: Any) -> Document:
    added = {"x-include": list(includes)} if includes else {}
    return {"type": "mcp", "namespace": namespace, "port": 0, "tools": [*tools], **added, **keys}


def orders(**keys: Any) -> Document:
    resources = [{"name": "terms", "uri": "orders://terms", "call": "api.list"}]
    return exposer("orders", tools=TOOLS, resources=resources, prompts=PROMPTS, **keys)


def build(*documents: Document | Path, **settings: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return Host(*documents, plugins=plugins, settings=Settings(**{"environment": {}, **settings}))


@asynccontextmanager
async def serving(*documents: Document | Path, **settings: Any) -> AsyncIterator[Running]:
    async with build(*documents, **settings) as host:
        yield Running(host)


def write(path: Path, content: Document) -> Path:
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return path


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def names(*exposers: Document, of: str = "desk", **settings: Any) -> list[str]:
    """Return the tools, resources and prompts of an exposer."""
    host = build(document(*exposers), **settings)
    status = next(status for status in host.status() if status.namespace == of)
    return [entry.title for entry in status.exposer.catalog()]


def problems(*documents: Document | Path, **settings: Any) -> list[str]:
    with pytest.raises(ProblemsError) as raised:
        build(*documents, **settings)
    return [f"{problem.code}: {problem}" for problem in raised.value.problems if not problem.warning]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_an_exposer_of_another_file_is_included(tmp_path: Path, mode: str) -> None:
    write(tmp_path / "orders.json", document(orders()))
    include = {"location": "./orders.json", "namespace": "orders", "prefix": "orders_"}
    desk = write(tmp_path / "desk.json", document(exposer("desk", include, tools=TOOLS[:1]), label="Desk"))
    records: list[CallRecord] = []
    async with serving(desk, access_log=records.append) as running:
        assert [status.namespace for status in running.host.status()] == ["desk"]
        async with Client(running.url("desk"), mode=mode) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            called = await client.call_tool("orders_cancel", {})
            prompt = await client.get_prompt("orders_ask")
            read = await client.read_resource("orders://terms")
        own, included = (each for plan in running.host.plans for each in plan.consumers)
        assert isinstance(own, FakeConsumer)
        assert isinstance(included, FakeConsumer)
        assert (own.calls, included.calls) == ([], [("cancel", {}), ("list", {})])
    assert tools == ["list", "orders_list", "orders_cancel", "orders_note"]
    assert not called.is_error
    assert prompt.messages
    assert read.contents
    (record,) = (record for record in records if record.operation == "cancel")
    assert (record.site.capability, record.site.exposer) == ("Orders", "orders")


async def test_a_file_that_is_served_too_shares_its_limits(tmp_path: Path) -> None:
    served = write(tmp_path / "orders.json", document(orders()))
    desk = write(tmp_path / "desk.json", document(exposer("desk", {"location": "orders.json"}), label="Desk"))
    async with serving(served, desk) as running:
        assert len(running.host.plans) == 2
        async with Client(running.url("desk")) as client:
            await client.call_tool("list", {})
        assert running.fake("api").calls == [("list", {})]


async def test_a_reload_follows_the_included_file(tmp_path: Path) -> None:
    included = write(tmp_path / "orders.json", document(orders()))
    desk = write(tmp_path / "desk.json", document(exposer("desk", {"location": "orders.json"})))
    async with serving(desk) as running:
        watched = {file for plan in running.host.plans for file in plan.loaded.files}
        assert str(included) in watched
        write(included, document(exposer("orders", tools=TOOLS[:1])))
        await running.host.reload()
        async with Client(running.url("desk")) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["list"]
        included.unlink()
        with pytest.raises(ProblemsError):
            await running.host.reload()
        async with Client(running.url("desk")) as client:
            assert not (await client.call_tool("list", {})).is_error


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"only": {"names": ["cancel"]}}, ["cancel"]),
        ({"only": {"tags": ["writes"]}}, ["cancel", "note"]),
        ({"only": {"hints": ["readOnly"]}}, ["list", "resource orders://terms", "prompt ask"]),
        ({"only": {"tags": ["writes"], "names": ["list"]}}, ["list", "cancel", "note"]),
        # A tool that says nothing is destructive, as the specification has it.
        ({"except": {"hints": ["destructive"]}}, ["list", "note", "resource orders://terms", "prompt ask"]),
        ({"only": {"tags": ["writes"]}, "except": {"names": ["note"]}}, ["cancel"]),
        ({"except": {"names": ["terms", "ask"]}}, ["list", "cancel", "note"]),
    ],
)
def test_only_and_except(selection: Document, expected: list[str]) -> None:
    assert names(orders(), exposer("desk", {"namespace": "orders", **selection})) == expected


async def test_what_is_left_out_cannot_be_called() -> None:
    include = {"namespace": "orders", "except": {"names": ["cancel"]}}
    async with (
        serving(document(orders(), exposer("desk", include))) as running,
        Client(running.url("desk")) as client,
    ):
        with pytest.raises(MCPError, match="Unknown tool: cancel"):
            await client.call_tool("cancel", {})


def test_an_included_exposer_may_include_others() -> None:
    front = exposer("front", {"namespace": "desk", "prefix": "desk_"})
    desk = exposer("desk", {"namespace": "orders", "prefix": "o_", "only": {"tags": ["writes"]}})
    assert names(front, desk, orders(), of="front") == ["desk_o_cancel", "desk_o_note"]


def test_an_entry_that_is_included_twice_is_there_once() -> None:
    twice = exposer("desk", {"namespace": "orders"}, {"namespace": "orders", "only": {"names": ["list"]}})
    assert names(orders(), twice)[:3] == ["list", "cancel", "note"]


def test_a_clash_has_both_places(tmp_path: Path) -> None:
    included = write(tmp_path / "orders.json", document(orders()))
    desk = write(tmp_path / "desk.json", document(exposer("desk", {"location": "orders.json"}, tools=TOOLS[:1])))
    (problem,) = problems(desk)
    first, second = (line_of(path, '"tools": [') + 2 for path in (desk, included))
    assert problem.startswith(f"name-clash: {included}:{second}:21: ")
    assert f"'desk' already has the tool 'list', of 'desk' ({desk}:{first}:21); rename one" in problem


def test_a_cycle_has_all_places(tmp_path: Path) -> None:
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    write(files[0], document(exposer("first", {"location": "second.json"}, tools=TOOLS[:1])))
    write(files[1], document(exposer("second", {"location": "first.json"})))
    found = problems(files[0])
    assert found[0].startswith(f"include: {files[1]}:{line_of(files[1], 'location')}:")
    chain = [f"'{file.stem}' ({file}:{line_of(file, file.stem)}:22)" for file in (*files, files[0])]
    assert " includes ".join(chain) in found[0]
    own = exposer("desk", {"namespace": "desk"})
    assert "an exposer cannot include itself: 'desk' (<capability>) includes 'desk'" in problems(document(own))[0]


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ({"namespace": "order"}, "this document has no exposer 'order'; did you mean 'orders'?"),
        ({"namespace": "web"}, "'web' is of type control; only type mcp or rest can be included"),
        ({"location": "missing.json"}, "cannot include 'missing.json', which has problems of its own"),
        ({"namespace": "orders", "only": {"names": ["cancle"]}}, "has the name 'cancle'; did you mean 'cancel'?"),
        ({"namespace": "orders", "except": {"tags": ["write"]}}, "has the tag 'write'; did you mean 'writes'?"),
        ({"namespace": "orders", "only": {"hints": ["harmless"]}}, "'readOnly', 'destructive', 'idempotent'"),
        ({"prefix": "a_"}, "neither 'namespace' nor 'location' says what to include"),
    ],
)
def test_what_cannot_be_included_is_a_problem(include: Document, message: str, tmp_path: Path) -> None:
    web = {"type": "control", "namespace": "web", "port": 0}
    file = write(tmp_path / "desk.json", document(orders(), web, exposer("desk", include)))
    found = problems(file)
    assert any(message in problem for problem in found), found
    line = line_of(file, '"x-include"')
    assert any(f"{file}:" in problem and int(problem.split(f"{file}:")[1].split(":")[0]) > line for problem in found)


def test_a_misspelt_exception_is_not_served_with_skip_invalid() -> None:
    include = {"namespace": "orders", "except": {"names": ["cancle"]}}
    with pytest.raises(ProblemsError, match="cancle"):
        build(document(orders(), exposer("desk", include)), skip_invalid=True)


@pytest.mark.parametrize(
    "authentication",
    [None, {"type": "bearer", "token": "other"}, {"type": "apikey", "key": "X-Key", "value": "right"}],
    ids=["none", "another-secret", "another-type"],
)
def test_protected_operations_are_not_served_with_another_authentication(authentication: Document | None) -> None:
    desk = exposer("desk", {"namespace": "orders"}, **({"authentication": authentication} if authentication else {}))
    protected = document(orders(authentication=BEARER), desk)
    (problem,) = problems(protected)
    assert problem.startswith("included-authentication: ")
    assert (
        "and 'desk' would serve it without" if authentication is None else "requires another authentication"
    ) in problem
    assert "right" not in problem
    assert list(build(protected, skip_invalid=True).status()[-1].exposer.catalog()) == []


async def test_open_operations_are_served_with_the_authentication_of_the_exposer_that_includes_them() -> None:
    desk = exposer("desk", {"namespace": "orders"}, authentication=BEARER)
    async with serving(document(orders(), desk)) as running, aiohttp.ClientSession() as session:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "cancel"}}
        headers = {"Accept": "application/json, text/event-stream"}
        statuses = []
        for namespace, sent in (("orders", {}), ("desk", {}), ("desk", {"Authorization": "Bearer right"})):
            async with session.post(running.url(namespace), json=message, headers={**headers, **sent}) as response:
                statuses.append(response.status)
        assert statuses == [200, 401, 200]
    assert names(orders(authentication=BEARER), exposer("desk", {"namespace": "orders"}, authentication=BEARER))
