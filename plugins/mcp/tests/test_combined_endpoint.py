"""`--mcp-endpoint`: one MCP endpoint over everything that is served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from mcp import Client, MCPError
from mcp_types import TextContent, TextResourceContents

from adapter_host import (
    Arguments,
    BuildContext,
    Call,
    CallContext,
    CallRecord,
    Host,
    McpEndpoint,
    Operation,
    Plugins,
    ProblemsError,
    Result,
    Settings,
    current_call,
    hookimpl,
)
from adapter_host.testing import FakeConsumer, FakePlugin, Running

Document = dict[str, Any]
BEARER = {"type": "bearer", "token": "{{keys.TOKEN}}"}
TOKEN = {"Authorization": "Bearer right"}


def document(namespace: str, tools: Sequence[str] = ("list", "get"), **keys: Any) -> Document:
    """Return a capability with an MCP exposer; `keys` are those of the exposer."""
    consumed = [{"name": name, "inputParameters": [{"name": "id", "in": "query"}]} for name in tools]
    entries = [
        {
            "name": name,
            "description": f"{name} of {namespace}",
            "call": f"api.{name}",
            "inputParameters": [{"name": "id", "type": "string", "required": False}],
        }
        for name in tools
    ]
    exposer = {"type": "mcp", "namespace": namespace, "port": 0, "tools": entries, **keys}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": namespace.title()},
        "binds": [{"namespace": "keys", "keys": {"TOKEN": f"{namespace.upper()}_TOKEN"}}],
        "capability": {
            "consumes": [{"type": "fake", "namespace": "api", "operations": consumed}],
            "exposes": [exposer],
        },
    }


PROMPT = {
    "name": "ask",
    "template": [{"role": "user", "content": "About {{topic}}?"}],
    "arguments": [{"name": "topic"}],
}
ORDERS = document(
    "orders",
    description="Buys and sells",
    resources=[{"name": "terms", "uri": "orders://terms", "mimeType": "application/json", "call": "api.get"}],
    prompts=[PROMPT],
)
PEOPLE = document("people", prompts=[PROMPT])


class Observer:
    """A plugin that keeps the context of each call."""

    def __init__(self) -> None:
        self.seen: list[CallContext] = []

    @hookimpl
    def operation_wrapper(self, operation: Operation, context: BuildContext) -> Callable[[Call], Call]:
        def wrap(call: Call) -> Call:
            async def observed(arguments: Arguments) -> Result:
                self.seen.append(current_call())
                return await call(arguments)

            return observed

        return wrap


def build(*documents: Document | Path, plugin: Any = None, **settings: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    if plugin is not None:
        plugins.register("observer", plugin)
    settings = {"environment": {}, "mcp_endpoint": McpEndpoint(port=0), **settings}
    return Host(*documents, plugins=plugins, settings=Settings(**settings))


@asynccontextmanager
async def serving(*documents: Document | Path, **settings: Any) -> AsyncIterator[Running]:
    async with build(*documents, **settings) as host:
        yield Running(host)


async def names_of(url: str) -> list[str]:
    async with Client(url) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


def problems_of(*documents: Document | Path, **settings: Any) -> list[str]:
    with pytest.raises(ProblemsError) as raised:
        build(*documents, **settings)
    return [f"{problem.code}: {problem}" for problem in raised.value.problems if not problem.warning]


@pytest.fixture
async def office() -> AsyncIterator[Running]:
    async with serving(ORDERS, PEOPLE) as running:
        yield running


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_endpoint_has_the_entries_of_all_exposers(office: Running, mode: str) -> None:
    async with Client(office.url("adapter-host"), mode=mode) as client:
        tools = (await client.list_tools()).tools
        called = await client.call_tool("people_get", {"id": "7"})
        prompts = (await client.list_prompts()).prompts
        prompt = await client.get_prompt("people_ask", {"topic": "pay"})
        resources = (await client.list_resources()).resources
        read = await client.read_resource("orders://terms")
        instructions = client.instructions
    assert [tool.name for tool in tools] == ["orders_list", "orders_get", "people_list", "people_get"]
    assert tools[3].description == "get of people"
    assert called.structured_content == {"id": "7"}
    assert [prompt.name for prompt in prompts] == ["orders_ask", "people_ask"]
    assert isinstance(prompt.messages[0].content, TextContent)
    assert prompt.messages[0].content.text == "About pay?"
    assert [(str(resource.uri), resource.name) for resource in resources] == [("orders://terms", "terms")]
    assert isinstance(read.contents[0], TextResourceContents)
    assert orjson.loads(read.contents[0].text) == {}
    if mode == "legacy":  # the official client reads them from the handshake only
        assert instructions is not None
        assert instructions.endswith("orders: Buys and sells")


async def test_the_exposers_keep_their_own_endpoints_and_names(office: Running) -> None:
    assert await names_of(office.url("orders")) == ["list", "get"]
    async with Client(office.url("orders")) as client:
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("orders_list", {})


async def test_names_do_not_depend_on_what_else_is_served() -> None:
    async with serving(PEOPLE) as one:
        assert await names_of(one.url("adapter-host")) == ["people_list", "people_get"]
        await one.host.reload(ORDERS, PEOPLE)
        assert await names_of(one.url("adapter-host")) == ["orders_list", "orders_get", "people_list", "people_get"]


async def test_long_names_end_with_their_digest() -> None:
    tools = [f"{'describe-inventory-' * 3}{end}" for end in ("aa", "bb")]
    host = build(document("warehouse", tools))
    names = [operation.name for operation in host.status()[-1].exposer.operations.values()]
    assert [len(name) for name in names] == [64, 64]
    assert len({name[:55] for name in names}) == 1
    assert len(set(names)) == 2


def test_a_clash_is_a_problem_with_both_places(tmp_path: Path) -> None:
    files = []
    for name in ("first", "second"):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_bytes(orjson.dumps(document("orders", ["list"]), option=orjson.OPT_INDENT_2))
    lines = files[0].read_text().splitlines()
    line = max(number for number, text in enumerate(lines, 1) if '"name": "list"' in text)
    column = lines[line - 1].index('"list"') + 1
    (problem,) = problems_of(*files)
    assert problem.startswith(f"name-clash: {files[1]}:{line}:{column}: ")
    owner = f"of 'orders' ({files[0]}:{line}:{column})"
    assert f"'adapter-host' already has the tool 'orders_list', {owner}; rename one" in problem


def test_a_clash_of_resources_is_a_problem() -> None:
    other = {**PEOPLE, "capability": {**PEOPLE["capability"]}}
    (exposer,) = other["capability"]["exposes"]
    other["capability"]["exposes"] = [
        {**exposer, "resources": ORDERS["capability"]["exposes"][0]["resources"], "prompts": []}
    ]
    (problem,) = problems_of(ORDERS, other)
    assert "already has the resource 'orders://terms', of 'orders'" in problem


async def test_with_skip_invalid_only_the_clash_is_left_out(tmp_path: Path) -> None:
    others = document("orders", ["list", "cancel"])
    async with serving(ORDERS, others, skip_invalid=True) as running:
        url = next(s.url for s in running.host.status() if s.namespace == "adapter-host")
        assert url is not None
        assert await names_of(url) == ["orders_list", "orders_get", "orders_cancel"]
        assert [w.code for w in running.host.warnings] == ["name-clash"]


def test_there_is_nothing_to_serve() -> None:
    endpoint = McpEndpoint(port=0, excluded=("orders", "people"))
    (problem,) = problems_of(ORDERS, PEOPLE, mcp_endpoint=endpoint)
    assert problem.startswith("nothing-included: --mcp-endpoint: nothing is served that the endpoint could have")


@pytest.mark.parametrize(
    "second",
    [
        document("people", authentication={**BEARER, "token": "other"}),
        document("people", authentication={"type": "apikey", "key": "X-Key", "value": "{{keys.TOKEN}}"}),
    ],
    ids=["another-secret", "another-type"],
)
def test_exposers_of_another_authentication_are_refused(second: Document) -> None:
    environment = {"ORDERS_TOKEN": "right", "PEOPLE_TOKEN": "right"}
    first = document("orders", authentication=BEARER)
    for documents in ((first, second), (second, first)):
        (problem,) = problems_of(*documents, environment=environment)
        assert problem.startswith("included-authentication: ")
        assert "requires another authentication than" in problem
        assert "right" not in problem
    host = build(first, second, environment=environment, skip_invalid=True)
    assert [entry.title for entry in host.status()[-1].exposer.catalog()] == ["orders_list", "orders_get"]
    for chosen in (McpEndpoint(0, excluded=("orders",)), McpEndpoint(0, only=("people",))):
        status = build(first, second, environment=environment, mcp_endpoint=chosen).status()[-1]
        assert [entry.title for entry in status.exposer.catalog()] == ["people_list", "people_get"]


@pytest.mark.parametrize("keys", [{"authentication": BEARER}, {}], ids=["the same", "none"])
async def test_the_endpoint_requires_the_authentication_of_its_exposers(keys: Document) -> None:
    environment = {"ORDERS_TOKEN": "right", "PEOPLE_TOKEN": "right"}
    documents = [document("orders", authentication=BEARER), document("people", **keys)]
    async with serving(*documents, environment=environment) as running, aiohttp.ClientSession() as session:
        url = running.url("adapter-host")
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "people_get"}}
        statuses = []
        for headers in ({}, {"Authorization": "Bearer wrong"}, TOKEN):
            accept = {"Accept": "application/json, text/event-stream"}
            async with session.post(url, json=message, headers={**headers, **accept}) as response:
                statuses.append(response.status)
                await response.read()
        assert statuses == [401, 401, 200]
        consumers = [consumer for plan in running.host.plans for consumer in plan.consumers]
        assert [consumer.calls for consumer in consumers if isinstance(consumer, FakeConsumer)] == [[], [("get", {})]]
        status = running.host.status()[-1]
    assert status.authentication == "bearer"
    assert '"Authorization": "Bearer <token>"' in str(status.exposer.usage("http://localhost/mcp"))


async def test_calls_are_logged_and_described_as_those_of_their_exposer() -> None:
    observer, records = Observer(), list[CallRecord]()
    async with (
        serving(ORDERS, PEOPLE, plugin=observer, access_log=records.append) as running,
        Client(running.url("adapter-host")) as client,
    ):
        await client.call_tool("people_get", {"id": "7"})
    (seen,) = observer.seen
    assert (seen.capability, seen.exposer, seen.exposer_type, seen.transport) == ("People", "people", "mcp", "http")
    (record,) = (record for record in records if record.calls)
    assert (record.site.exposer, record.operation, record.message) == ("people", "get", "tools/call")
    assert record.request_id == seen.request_id


async def test_the_limit_of_calls_is_that_of_the_exposer() -> None:
    async with serving(ORDERS, PEOPLE, call_limit=1) as running, Client(running.url("adapter-host")) as client:
        hold = running.fake("api").hold("get")
        async with Client(running.url("orders")) as own:
            first = asyncio.create_task(own.call_tool("get", {}))
            await hold.entered.wait()
            refused = await client.call_tool("orders_get", {})
            other = await client.call_tool("people_get", {})
            hold.release.set()
            await first
    assert refused.is_error
    assert not other.is_error


async def test_a_large_endpoint_is_searched() -> None:
    tools = [f"operation-{number}-of-many" for number in range(150)]
    documents = [document(name, tools) for name in ("orders", "people", "rooms", "sites", "users")]
    async with serving(*documents) as running, Client(running.url("adapter-host")) as client:
        listed = (await client.list_tools()).tools
        found = await client.call_tool("search_tools", {"query": "operation 7", "group": "rooms"})
        called = await client.call_tool("call_tool", {"name": "sites_operation-9-of-many", "arguments": {"id": "1"}})
    assert [tool.name for tool in listed] == ["search_tools", "call_tool"]
    assert found.structured_content is not None
    names = [tool["name"] for tool in found.structured_content["tools"]]
    assert names[0] == "rooms_operation-7-of-many"
    assert all(name.startswith("rooms_") for name in names)
    assert called.structured_content == {"id": "1"}


REST = {
    "type": "rest",
    "namespace": "web",
    "port": 0,
    "resources": [
        {
            "path": "/things/{id}",
            "inputParameters": [{"name": "id", "in": "path"}],
            "operations": [
                {"method": "GET", "name": "get-thing", "call": "api.get"},
                {"method": "PUT", "name": "put-thing", "call": "api.get"},
            ],
        },
        {"path": "/things", "operations": [{"method": method, "call": "api.list"} for method in ("GET", "POST")]},
    ],
}


async def test_a_document_without_mcp_has_its_routes_as_tools() -> None:
    rest = {**ORDERS, "info": {"label": "Web"}, "capability": {**ORDERS["capability"], "exposes": [REST]}}
    both = {**PEOPLE, "capability": {**PEOPLE["capability"], "exposes": [*PEOPLE["capability"]["exposes"], REST]}}
    both["capability"]["exposes"][1] = {**REST, "namespace": "people-web"}
    records: list[CallRecord] = []
    async with serving(rest, both, access_log=records.append) as running, Client(running.url("adapter-host")) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        called = await client.call_tool("web_get-thing", {"id": "7"})
    assert [*tools] == ["web_get-thing", "web_put-thing", "web_list", "web_list-2", "people_list", "people_get"]
    read, write = tools["web_get-thing"], tools["web_put-thing"]
    assert read.input_schema["properties"].keys() == {"id"}
    assert read.annotations is not None
    assert write.annotations is not None
    assert (read.annotations.read_only_hint, write.annotations.read_only_hint) == (True, False)
    assert called.structured_content == {"id": "7"}
    (record,) = (record for record in records if record.calls)
    assert (record.site.exposer, record.operation, record.message) == ("web", "get-thing", "tools/call")


@pytest.mark.parametrize(
    ("only", "excluded", "expected"),
    [
        (("people",), (), ["people_list", "people_get"]),
        (("orders_get", "list"), (), ["orders_list", "orders_get", "people_list"]),
        ((), ("orders", "get"), ["people_list"]),
        (("orders",), ("orders_list",), ["orders_get"]),
        ((), ("destructive",), []),
    ],
)
async def test_only_and_except(only: tuple[str, ...], excluded: tuple[str, ...], expected: list[str]) -> None:
    endpoint = McpEndpoint(0, "/tools", only, excluded)
    async with serving(ORDERS, PEOPLE, mcp_endpoint=endpoint) as running:
        url = running.url("adapter-host")
        assert url.endswith("/tools")
        assert await names_of(url) == expected


def test_a_word_that_names_nothing_is_a_problem() -> None:
    endpoint = McpEndpoint(0, only=("order",), excluded=("destuctive",))
    found = problems_of(ORDERS, PEOPLE, mcp_endpoint=endpoint)
    what = "nothing that --mcp-endpoint serves has the name, tag, hint or namespace"
    assert found == [
        f"unknown-name: --only: {what} 'order'; did you mean 'orders'?",
        f"unknown-name: --except: {what} 'destuctive'; did you mean 'destructive'?",
    ]
