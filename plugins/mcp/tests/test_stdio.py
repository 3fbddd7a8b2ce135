"""One client over standard input and output: the real command, the official client, and bytes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.lowlevel import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent

import adapter_host_mcp
from adapter_host import Host, Plugins, Result, Settings
from adapter_host.testing import FakeConsumer, FakePlugin
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.sdk import stdio
from adapter_host_mcp.sdk.handlers import add_calls

CAFE: dict[str, Any] = {
    "naftiko": "1.0.0-alpha2",
    "info": {"label": "Café"},
    "capability": {
        "exposes": [
            {
                "type": "mcp",
                "namespace": "cafe",
                "transport": "stdio",
                "tools": [
                    {
                        "name": "brew",
                        "description": "Brews",
                        "inputParameters": [
                            {"name": "bean", "type": "string", "description": "Which"},
                            {"name": "X-Who", "in": "header", "description": "Who", "required": False},
                        ],
                        "outputParameters": [{"type": "object", "properties": {"cup": {"value": "A cup of {{bean}}"}}}],
                    }
                ],
                "resources": [
                    {
                        "name": "menu",
                        "uri": "cafe://menu/{day}",
                        "outputParameters": [{"name": "day", "value": "{{day}}"}],
                    }
                ],
                "prompts": [{"name": "order", "template": [{"role": "user", "content": "Order a café"}]}],
            }
        ]
    },
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cafe.yaml"
    path.write_text(yaml.safe_dump(CAFE))
    return path


def command(file: Path, options: Sequence[str] = ("--stdio",)) -> list[str]:
    return [sys.executable, "-m", "adapter_host", "serve", *options, "--capability", str(file)]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_official_client_is_served_by_the_command(file: Path, mode: str) -> None:
    program, *arguments = command(file)
    parameters = StdioServerParameters(command=program, args=arguments)
    async with Client(stdio_client(parameters), mode=mode) as client:
        (tool,) = (await client.list_tools()).tools
        result = await client.call_tool("brew", {"bean": "arabica"})
        wrong = await client.call_tool("brew", {"bean": "arabica", "X-Who": "me"})
        resource = await client.read_resource("cafe://menu/monday")
        prompt = await client.get_prompt("order")
        with pytest.raises(MCPError, match="Unknown tool: bru"):
            await client.call_tool("bru", {})
        version = client.session.protocol_version
    assert version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]
    assert list(tool.input_schema["properties"]) == ["bean"]
    assert (result.is_error, result.structured_content) == (False, {"cup": "A cup of arabica"})
    assert wrong.is_error
    assert resource.contents[0].model_dump()["text"] == '{"day":"monday"}'
    assert prompt.messages[0].content.model_dump()["text"] == "Order a café"


def request(method: str, number: int = 1, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


def hello(version: str = "2025-11-25") -> bytes:
    client = {"name": "test", "version": "1"}
    return request("initialize", 0, protocolVersion=version, capabilities={}, clientInfo=client)


@pytest.mark.parametrize(("transport", "options"), [("stdio", []), ("stdio", ["--stdio"]), ("http", ["--stdio"])])
async def test_piped_requests_are_all_answered_before_the_end(file: Path, transport: str, options: list[str]) -> None:
    process = await started(over_http(file) if transport == "http" else file, options)
    calls = b"".join(request("tools/call", n, name="brew", arguments={"bean": f"b{n}"}) for n in range(1, 20))
    out, err = await process.communicate(hello() + calls.rstrip(b"\n"))
    answers = {answer["id"]: answer for answer in map(json.loads, out.splitlines())}
    assert sorted(answers) == list(range(20))
    assert answers[7]["result"]["structuredContent"] == {"cup": "A cup of b7"}
    assert process.returncode == 0
    assert b"Traceback" not in err


async def test_a_signal_ends_it_while_it_waits_for_its_client(file: Path) -> None:
    process = await started(file)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(hello())
    assert json.loads(await process.stdout.readline())["id"] == 0
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert await process.stdout.read() == b""


def over_http(file: Path) -> Path:
    """Return the same document, asking to be served over HTTP."""
    other = file.with_name("cafe-http.yaml")
    other.write_text(file.read_text().replace("transport: stdio", "port: 0"))
    return other


async def started(file: Path, options: Sequence[str] = ("--stdio",)) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command(file, options), stdin=pipe, stdout=pipe, stderr=pipe)


class Talk:
    """Both ends of a served pipe."""

    def __init__(self, stock: FakeConsumer, to_server: int, from_server: int) -> None:
        self.stock = stock
        self._to_server = to_server
        self._from_server = os.fdopen(from_server, "rb")

    def send(self, data: bytes) -> None:
        rest = data
        while rest:
            rest = rest[os.write(self._to_server, rest) :]

    async def receive(self) -> Any:
        line = await asyncio.to_thread(self._from_server.readline)
        return json.loads(line) if line else None

    def hang_up(self) -> None:
        os.close(self._to_server)

    def leave(self) -> None:
        self._from_server.close()


@asynccontextmanager
async def talking(limit: int = 10_000) -> AsyncIterator[Talk]:
    """Yield a shop with one tool, `get`, served over two pipes until the client hangs up."""
    stock = {"type": "fake", "namespace": "stock", "operations": [{"name": "get"}]}
    exposer = {
        "type": "mcp",
        "namespace": "shop",
        "transport": "stdio",
        "tools": [{"name": "get", "call": "stock.get"}],
    }
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [stock], "exposes": [exposer]}}
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    async with Host(document, plugins=plugins, settings=Settings(environment={})) as host:
        (status,) = host.status()
        assert isinstance(status.exposer, McpExposer)
        server = status.exposer.build_server()
        add_calls(server, status.exposer.tools)
        (source, to_server), (from_server, sink) = os.pipe(), os.pipe()
        serving = asyncio.create_task(stdio.serve(server, source, sink, limit))
        ((consumer,),) = [plan.consumers for plan in host.plans]
        assert isinstance(consumer, FakeConsumer)
        talk = Talk(consumer, to_server, from_server)
        try:
            yield talk
            talk.hang_up()
            await serving
        finally:
            os.close(sink)
            talk.leave()


CALL = request("tools/call", 1, name="get", arguments={})


@pytest.mark.parametrize(
    ("body", "structured"),
    [
        (b'{"big":123456789012345678901234567890,"left":null}', {"big": 123456789012345678901234567890, "left": None}),
        (b"[1]", None),
    ],
)
async def test_a_result_is_that_of_http(body: bytes, structured: Any) -> None:
    async with talking() as talk:
        talk.stock.responses["get"] = lambda _: Result(body=body)
        talk.send(hello() + CALL)
        await talk.receive()
        answer = await talk.receive()
    told = {"content": [{"type": "text", "text": body.decode()}], "isError": False}
    assert answer["result"] == (told if structured is None else {**told, "structuredContent": structured})


async def test_a_stateless_request_is_answered_without_a_handshake() -> None:
    async with talking() as talk:
        talk.send(request("tools/call", 5, name="get", arguments={}, _meta=META))
        answer = await talk.receive()
    assert (answer["id"], answer["result"]["resultType"]) == (5, "complete")
    assert answer["result"]["structuredContent"] == {}


async def test_our_own_failure_tells_no_details(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("a detail")

    async with talking() as talk:
        talk.stock.responses["get"] = fail
        talk.send(hello() + CALL)
        await talk.receive()
        error = (await talk.receive())["error"]
    assert (error["code"], error["message"]) == (-32603, "Internal error")
    assert error["data"]["request_id"] in caplog.text
    assert "a detail" in caplog.text


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (b"{", -32700, "Parse error: the body is not JSON, or is nested too deeply"),
        (b"\xff", -32700, "Parse error: the body is not JSON, or is nested too deeply"),
        (b"[" * 5000, -32700, "Parse error: the body is not JSON, or is nested too deeply"),
        (b"[" * 200 + b"]" * 200, -32600, "the message is nested deeper than 100 levels"),
        (b"[]", -32600, "the line must be a single JSON-RPC message"),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, "the line must be a single JSON-RPC message"),
        (b'"' + b"x" * 200_000 + b'"', -32600, "the message is larger than 10000 bytes"),
        (b"x" * 10_001, -32600, "the message is larger than 10000 bytes"),
    ],
)
async def test_a_line_that_is_no_message_is_answered_and_the_next_is_served(
    line: bytes, code: int, message: str
) -> None:
    async with talking() as talk:
        await asyncio.to_thread(talk.send, b"\n \r\n" + line + b"\n" + request("ping", 3).replace(b"\n", b"\r\n"))
        refusal, pong = await talk.receive(), await talk.receive()
    assert (refusal["id"], refusal["error"]) == (None, {"code": code, "message": message})
    assert (pong["id"], pong["result"]) == (3, {})


async def test_a_cancelled_call_is_not_waited_for() -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def hang(_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    async with talking() as talk:
        talk.stock.responses["get"] = hang
        talk.send(hello())
        await talk.receive()
        talk.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n' + CALL)
        await begun.wait()
        talk.send(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n')
        await gone.wait()


async def test_calls_run_side_by_side() -> None:
    first = asyncio.Event()

    async def wait(given: dict[str, Any]) -> dict[str, Any]:
        await first.wait()
        return given

    async with talking() as talk:
        talk.stock.responses["get"] = wait
        talk.send(hello() + CALL + request("ping", 2))
        assert (await talk.receive())["id"] == 0
        assert (await talk.receive())["id"] == 2
        first.set()
        assert (await talk.receive())["id"] == 1


async def test_a_client_that_reads_no_longer_ends_it() -> None:
    async with talking() as talk:
        talk.leave()
        talk.send(hello())


MEMBERS = st.dictionaries(
    st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"]),
    st.recursive(
        st.none()
        | st.integers()
        | st.sampled_from(["2.0", "ping", "tools/call", "initialize", "x"])
        | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "_meta"]), inner),
        max_leaves=4,
    ),
)
NOISE = st.lists(MEMBERS.map(lambda each: json.dumps(each).encode()) | st.binary(max_size=20), min_size=20, max_size=60)


@settings(max_examples=40, deadline=None)
@given(NOISE)
def test_no_noise_ends_it(noise: list[bytes]) -> None:
    async def talk_on() -> None:
        async with talking() as talk:
            await asyncio.to_thread(talk.send, hello("2025-06-18"))
            await talk.receive()
            talk.send(b"\n".join(noise) + b"\n" + request("ping", 987_654))
            while (answer := await talk.receive())["id"] != 987_654:
                assert "error" in answer or "result" in answer
            assert answer["result"] == {}

    asyncio.run(talk_on())


async def test_an_error_of_the_clients_own_is_not_answered() -> None:
    async with talking() as talk:
        talk.send(hello() + b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}\n' + request("ping", 3))
        assert [(await talk.receive())["id"] for _ in range(2)] == [0, 3]


async def test_a_handler_of_somebody_elses_calls_what_is_not_declared() -> None:
    async def call(_: Any, params: CallToolRequestParams) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=f"{params.name} by hand")])

    async def list_tools(_: Any, __: Any) -> ListToolsResult:
        return ListToolsResult(tools=[])

    server: Server[None] = Server("hand", on_call_tool=call, on_list_tools=list_tools)
    add_calls(server, {})
    async with Client(server, mode="legacy") as client:
        result = await client.call_tool("wave", {})
    assert result.content == [TextContent(type="text", text="wave by hand")]


async def test_changes_of_the_lists_are_not_promised() -> None:
    async with talking() as talk:
        talk.send(hello())
        assert (await talk.receive())["result"]["capabilities"] == {"tools": {"listChanged": False}}


def test_what_others_print_does_not_reach_the_client(capfd: pytest.CaptureFixture[str]) -> None:
    with stdio.claimed() as (_, sink):
        os.write(1, b"stray")
        os.write(sink, b"protocol")
        assert os.read(0, 1) == b""
    os.write(1, b" after")
    assert capfd.readouterr() == ("protocol after", "stray")
