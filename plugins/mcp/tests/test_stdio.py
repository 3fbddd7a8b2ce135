"""The stdio transport: the command with the official client, and raw bytes."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.lowlevel import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent
from syrupy.assertion import SnapshotAssertion

import adapter_host_mcp
from adapter_host import CallSite, Host, Plugins, Result, Settings
from adapter_host.testing import FakeConsumer, FakePlugin
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.sdk import stdio
from adapter_host_mcp.sdk.handlers import add_tool_calls

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


def command(file: Path, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "adapter_host", "serve", *options, "--capability", str(file)]


@pytest.mark.parametrize(
    ("mode", "transport", "options"), [("legacy", "stdio", []), ("auto", "http", ["--stdio"])], ids=["legacy", "auto"]
)
async def test_official_client_over_stdio(
    file: Path, mode: str, transport: str, options: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    program, *arguments = command(http_document(file) if transport == "http" else file, options)
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
    # The client logs lines that are not JSON-RPC messages.
    assert [record for record in caplog.records if record.name.startswith("mcp.client")] == []
    assert version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]
    assert list(tool.input_schema["properties"]) == ["bean"]
    assert (result.is_error, result.structured_content) == (False, {"cup": "A cup of arabica"})
    assert wrong.is_error
    assert resource.contents[0].model_dump()["text"] == '{"day":"monday"}'
    assert prompt.messages[0].content.model_dump()["text"] == "Order a café"


def request(method: str, request_id: int = 1, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}).encode() + b"\n"


def initialize(version: str = "2025-11-25") -> bytes:
    client = {"name": "test", "version": "1"}
    return request("initialize", 0, protocolVersion=version, capabilities={}, clientInfo=client)


async def test_piped_requests_get_responses_before_exit(file: Path) -> None:
    process = await start_command(file)
    calls = b"".join(request("tools/call", n, name="brew", arguments={"bean": f"b{n}"}) for n in range(1, 20))
    out, err = await process.communicate(initialize() + calls.rstrip(b"\n"))
    responses = {response["id"]: response for response in map(json.loads, out.splitlines())}
    assert sorted(responses) == list(range(20))
    assert responses[7]["result"]["structuredContent"] == {"cup": "A cup of b7"}
    assert process.returncode == 0
    assert b"Traceback" not in err


async def test_sigterm_ends_an_idle_server(file: Path) -> None:
    process = await start_command(file)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(initialize())
    assert json.loads(await process.stdout.readline())["id"] == 0
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert await process.stdout.read() == b""


def http_document(file: Path) -> Path:
    """Write the same document with the HTTP transport."""
    other = file.with_name("cafe-http.yaml")
    other.write_text(file.read_text().replace("transport: stdio", "port: 0"))
    return other


async def start_command(file: Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command(file, ["--stdio"]), stdin=pipe, stdout=pipe, stderr=pipe)


class PipeClient:
    """A client that reads and writes the pipes of a served exposer."""

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

    def close_input(self) -> None:
        os.close(self._to_server)

    def close_output(self) -> None:
        self._from_server.close()


@asynccontextmanager
async def run_shop() -> AsyncIterator[tuple[McpExposer, FakeConsumer]]:
    """Run a shop with one tool, `get`."""
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
        ((consumer,),) = [plan.consumers for plan in host.plans]
        assert isinstance(consumer, FakeConsumer)
        yield status.exposer, consumer


@asynccontextmanager
async def connect(exposer: McpExposer, stock: FakeConsumer) -> AsyncIterator[PipeClient]:
    """Serve an exposer over two pipes until the client closes its input."""
    server = exposer.build_server()
    add_tool_calls(server, exposer.tools, lambda sent: exposer.context.call("stdio", request_id=sent))
    (source, to_server), (from_server, sink) = os.pipe(), os.pipe()
    serving = asyncio.create_task(stdio.serve(server, source, sink, 10_000))
    client = PipeClient(stock, to_server, from_server)
    try:
        yield client
        client.close_input()
        await serving
    finally:
        os.close(sink)
        client.close_output()


@asynccontextmanager
async def serve_pipes() -> AsyncIterator[PipeClient]:
    async with run_shop() as (exposer, stock), connect(exposer, stock) as client:
        yield client


CALL = request("tools/call", 1, name="get", arguments={})


@pytest.mark.parametrize(
    ("body", "structured"),
    [
        (b'{"big":123456789012345678901234567890,"left":null}', {"big": 123456789012345678901234567890, "left": None}),
        (b"[1]", None),
    ],
)
async def test_results_equal_those_over_http(body: bytes, structured: Any) -> None:
    async with serve_pipes() as client:
        client.stock.responses["get"] = lambda _: Result(body=body)
        client.send(initialize() + CALL)
        await client.receive()
        response = await client.receive()
    expected = {"content": [{"type": "text", "text": body.decode()}], "isError": False}
    assert response["result"] == (expected if structured is None else {**expected, "structuredContent": structured})


async def test_stateless_request_needs_no_handshake() -> None:
    async with serve_pipes() as client:
        client.send(request("tools/call", 5, name="get", arguments={}, _meta=META))
        response = await client.receive()
    assert (response["id"], response["result"]["resultType"]) == (5, "complete")
    assert response["result"]["structuredContent"] == {}


async def test_internal_error_hides_details(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("a detail")

    async with serve_pipes() as client:
        client.stock.responses["get"] = fail
        client.send(initialize() + CALL)
        await client.receive()
        error = (await client.receive())["error"]
    assert (error["code"], error["message"]) == (-32603, "Internal error")
    assert error["data"]["request_id"] in caplog.text
    assert "a detail" in caplog.text


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b"{", -32700, id="incomplete"),
        pytest.param(b"\xff", -32700, id="not UTF-8"),
        pytest.param(b"[" * 5000, -32700, id="very deep"),
        pytest.param(b"[" * 200 + b"]" * 200, -32600, id="deep"),
        pytest.param(b"[]", -32600, id="batch"),
        pytest.param(b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, id="JSON-RPC 1.0"),
        pytest.param(b'"' + b"x" * 200_000 + b'"', -32600, id="much too long"),
        pytest.param(b"x" * 10_001, -32600, id="too long"),
    ],
)
async def test_invalid_line_gets_an_error_and_serving_continues(
    line: bytes, code: int, snapshot: SnapshotAssertion
) -> None:
    async with serve_pipes() as client:
        await asyncio.to_thread(client.send, b"\n \r\n" + line + b"\n" + request("ping", 3).replace(b"\n", b"\r\n"))
        error_response, pong = await client.receive(), await client.receive()
    assert (error_response["id"], error_response["error"]["code"]) == (None, code)
    assert error_response["error"] == snapshot
    assert (pong["id"], pong["result"]) == (3, {})


async def test_cancelled_call_does_not_block_shutdown() -> None:
    call_started, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: Any) -> None:
        call_started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve_pipes() as client:
        client.stock.responses["get"] = hang
        client.send(initialize())
        await client.receive()
        client.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n' + CALL)
        await call_started.wait()
        client.send(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n')
        await cancelled.wait()


async def test_concurrent_calls() -> None:
    release = asyncio.Event()

    async def wait(arguments: dict[str, Any]) -> dict[str, Any]:
        await release.wait()
        return arguments

    async with serve_pipes() as client:
        client.stock.responses["get"] = wait
        client.send(initialize() + CALL + request("ping", 2))
        assert (await client.receive())["id"] == 0
        assert (await client.receive())["id"] == 2
        release.set()
        assert (await client.receive())["id"] == 1


async def test_closed_output_ends_the_server() -> None:
    async with serve_pipes() as client:
        client.close_output()
        client.send(initialize())


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
INPUT = st.lists(MEMBERS.map(lambda item: json.dumps(item).encode()) | st.binary(max_size=20), min_size=20, max_size=60)


@pytest.fixture
async def shop() -> AsyncIterator[tuple[McpExposer, FakeConsumer]]:
    async with run_shop() as running:
        yield running


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=INPUT)
async def test_any_input_is_handled(shop: tuple[McpExposer, FakeConsumer], lines: list[bytes]) -> None:
    async with connect(*shop) as client:
        await asyncio.to_thread(client.send, initialize("2025-06-18"))
        await client.receive()
        client.send(b"\n".join(lines) + b"\n" + request("ping", 987_654))
        while (response := await client.receive())["id"] != 987_654:
            assert "error" in response or "result" in response
        assert response["result"] == {}


async def test_error_message_from_client_gets_no_response() -> None:
    async with serve_pipes() as client:
        client.send(
            initialize() + b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}\n' + request("ping", 3)
        )
        assert [(await client.receive())["id"] for _ in range(2)] == [0, 3]


async def test_existing_call_handler_keeps_undeclared_tools() -> None:
    async def call(_: Any, params: CallToolRequestParams) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=f"{params.name} by hand")])

    async def list_tools(_: Any, __: Any) -> ListToolsResult:
        return ListToolsResult(tools=[])

    server: Server[None] = Server("hand", on_call_tool=call, on_list_tools=list_tools)
    add_tool_calls(server, {}, lambda sent: CallSite().call(request_id=sent))
    async with Client(server, mode="legacy") as client:
        result = await client.call_tool("wave", {})
    assert result.content == [TextContent(type="text", text="wave by hand")]


async def test_no_list_changed_capability_over_stdio() -> None:
    async with serve_pipes() as client:
        client.send(initialize())
        assert (await client.receive())["result"]["capabilities"] == {"tools": {"listChanged": False}}


def test_stray_output_does_not_reach_the_client(capfd: pytest.CaptureFixture[str]) -> None:
    with stdio.claim_stdio() as (_, sink):
        os.write(1, b"stray")
        os.write(sink, b"protocol")
        assert os.read(0, 1) == b""
    os.write(1, b" after")
    assert capfd.readouterr() == ("protocol after", "stray")
