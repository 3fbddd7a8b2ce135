"""MCP exposers: tools, resources and prompts."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from adapter_host import Host, ProblemsError, Settings, StartError

from .conftest import Convert, Serve
from .served import API, dumped, parsed

SHIPS = f"""
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: {API}
      resources:
        - name: ships
          path: /ships
          operations:
            - {{name: find, method: GET, inputParameters: [{{name: q, in: query}}]}}
            - {{name: add, method: POST, inputParameters: [{{name: q, in: body}}]}}
  aggregates:
    - label: Fleet
      namespace: fleet
      functions: [{{name: fixed, description: One, outputParameters: [{{name: a, type: string, value: fixed}}]}}]
"""
GREET = {
    "name": "greet",
    "description": "Greets",
    "outputParameters": [{"name": "text", "type": "string", "value": "Hello"}],
}


def mcp(text: str = "", **keys: Any) -> dict[str, Any]:
    """Return a document with an MCP exposer and at least one tool."""
    document: dict[str, Any] = parsed(SHIPS)
    messages = parsed(text) if text else {}
    exposer = {"type": "mcp", "namespace": "agents", "port": 0, "tools": [GREET], **messages, **keys}
    return {**document, "capability": {**document["capability"], "exposes": [exposer]}}


@pytest.mark.shows("ExposesMcp", "type", "namespace", "tools", "description", "authentication")
async def test_server_info(serve: Serve) -> None:
    async with serve(mcp()) as served, served.client() as client:
        assert client.server_info is not None
        assert (client.server_info.name, client.instructions) == ("agents", None)
        assert [tool.name for tool in (await client.list_tools()).tools] == ["greet"]
    barred = {"type": "bearer", "token": "let-me-in"}
    document = mcp(namespace="closed", description="Greets and finds ships", authentication=barred)
    async with serve(document) as served:
        async with served.client(of="closed", Authorization="Bearer let-me-in") as client:
            assert client.server_info is not None
            assert (client.server_info.name, client.instructions) == ("closed", "Greets and finds ships")
        async with httpx2.AsyncClient() as http:
            assert (await http.post(served.running.url("closed"), json={})).status_code == 401


@pytest.mark.shows("ExposesMcp", "port", "address")
async def test_port_and_address(convert: Convert) -> None:
    with socket.socket() as used_port:
        used_port.bind(("127.0.0.1", 0))
        used_port.listen()
        port = used_port.getsockname()[1]
        with pytest.raises(StartError, match=str(port)):
            async with Host(convert(mcp(port=port)), settings=Settings(environment={})):
                pass
    async with Host(convert(mcp(port=port)), settings=Settings(environment={})) as served:
        assert served.status()[0].url == f"http://127.0.0.1:{port}/mcp"
    async with Host(convert(mcp(address="127.0.0.2")), settings=Settings(environment={})) as served:
        url = served.status()[0].url
        assert url is not None
        assert url.startswith("http://127.0.0.2:")
        async with Client(url) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["greet"]


@pytest.mark.shows("ExposesMcp", "transport")
async def test_stdio_transport(convert: Convert, tmp_path: Path) -> None:
    document = convert(mcp(transport="stdio"))
    (exposer,) = document["capability"]["exposes"]
    del exposer["port"]
    file = tmp_path / "capability.yaml"
    file.write_text(json.dumps(document))
    serve = ["-m", "adapter_host", "serve", "--stdio", "--capability", str(file)]
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=serve))) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["greet"]
    (status,) = Host(document, settings=Settings(environment={})).status()
    assert status.exposer.stdio
    del exposer["transport"]
    with pytest.raises(ProblemsError, match="'port' is missing"):
        Host(document, settings=Settings(environment={}))


@pytest.mark.shows("McpTool", "name", "label", "description", "inputParameters", "hints")
@pytest.mark.shows("McpToolInputParameter", "name", "type", "description", "required")
@pytest.mark.shows("McpToolHints", "readOnly", "destructive", "idempotent", "openWorld")
async def test_tool_descriptions(serve: Serve) -> None:
    tools = """
      tools:
        - name: find
          label: Find a ship
          description: Finds a ship
          call: api.find
          inputParameters:
            - {name: q, type: string, description: What to look for}
            - {name: limit, type: integer, description: How many, required: false}
          with: {q: '{{q}}-{{limit}}'}
          hints: {readOnly: true, destructive: false, idempotent: true, openWorld: false}
        - {name: add, description: Adds a ship, call: api.add, hints: {readOnly: false, destructive: true}}
        - {name: bare, description: Bare, call: api.add}
    """
    async with serve(mcp(tools)) as served:
        listed = await served.tools()
        assert list(listed) == ["find", "add", "bare"]
        assert await _refused(served, "find", limit=1) == "'q' is required"
        assert "'limit' must be an integer" in await _refused(served, "find", q="a", limit="many")
        assert (await served.tool("find", q="a", limit=2))["query"] == {"q": ["a-2"]}
    assert (listed["find"]["title"], listed["find"]["description"]) == ("Find a ship", "Finds a ship")
    schema = listed["find"]["inputSchema"]
    assert schema["properties"]["q"] == {"type": "string", "description": "What to look for"}
    assert schema["properties"]["limit"] == {"type": "integer", "description": "How many"}
    assert schema["required"] == ["q"]
    assert listed["find"]["annotations"] == {
        "title": "Find a ship",
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }
    assert listed["add"]["annotations"] == {"readOnlyHint": False, "destructiveHint": True}
    assert "title" not in listed["add"]
    assert "annotations" not in listed["bare"]
    assert list(listed["bare"]["inputSchema"]["properties"]) == ["q"]


async def _refused(served: Any, name: str, **arguments: Any) -> str:
    async with served.client() as client:
        result = await client.call_tool(name, arguments)
    assert result.is_error
    text: str = dumped(result.content[0])["text"]
    return text


@pytest.mark.shows("McpTool", "call", "with", "steps", "mappings", "ref", "outputParameters")
async def test_tool_modes(serve: Serve) -> None:
    tools = """
      tools:
        - {name: called, description: A, call: api.find, with: {q: 7}}
        - {name: shaped, description: A, call: api.add, outputParameters: [{type: string, mapping: $.method}]}
        - name: stepped
          description: A
          steps: [{type: call, name: one, call: api.find}, {type: call, name: two, call: api.add}]
          mappings: [{targetName: first, value: $.one.method}, {targetName: last, value: $.two.method}]
        - {name: last, description: A, steps: [{type: call, name: one, call: api.add}]}
        - {name: fixed, ref: fleet.fixed}
        - {name: mocked, description: A, outputParameters: [{name: a, type: string, value: b}]}
    """
    async with serve(mcp(tools)) as served:
        assert (await served.tool("called"))["query"] == {"q": ["7"]}
        assert await served.tool("shaped", q="a") == "POST"
        assert await served.tool("stepped") == {"first": "GET", "last": "POST"}
        assert (await served.tool("last"))["method"] == "POST"
        assert await served.tool("fixed") == {"a": "fixed"}
        assert await served.tool("mocked") == {"a": "b"}


@pytest.mark.shows("ExposesMcp", "resources")
@pytest.mark.shows(
    "McpResource", "name", "label", "uri", "description", "mimeType", "call", "with", "steps", "mappings"
)
@pytest.mark.shows("McpResource", "outputParameters", "location")
async def test_resources(serve: Serve, tmp_path: Path) -> None:
    resources = """
      resources:
        - {name: called, label: Called, uri: 'ships://{q}', description: A ship, mimeType: text/x-ship, call: api.find}
        - {name: fixed, label: Fixed, uri: 'ships://fixed', description: One ship, call: api.find, with: {q: 7}}
        - {name: shaped, label: Shaped, uri: 'ships://shaped', description: A, call: api.find,
           outputParameters: [{type: string, mapping: $.path}]}
        - name: stepped
          label: Stepped
          uri: ships://stepped
          description: A
          steps: [{type: call, name: one, call: api.find}]
          mappings: [{targetName: first, value: $.one.method}]
          outputParameters: [{name: first, type: string}]
        - {name: file, label: File, uri: 'ships://file', description: A, location: 'file:///./ship.txt'}
    """
    (tmp_path / "ship.txt").write_text("Fram")
    document = mcp(resources)
    # The first that matches is read.
    document["capability"]["exposes"][0]["resources"].append(document["capability"]["exposes"][0]["resources"].pop(0))
    async with serve(document, folder=tmp_path) as served, served.client() as client:

        async def read(uri: str) -> tuple[str, str]:
            (content,) = map(dumped, (await client.read_resource(uri)).contents)
            return content["mimeType"], content["text"]

        fixed, *others = map(dumped, (await client.list_resources()).resources)
        (template,) = map(dumped, (await client.list_resource_templates()).resource_templates)
        kind, text = await read("ships://a")
        assert (kind, json.loads(text)["query"]) == ("text/x-ship", {"q": ["a"]})
        kind, text = await read("ships://fixed")
        assert (kind, json.loads(text)["query"]) == ("application/json", {"q": ["7"]})
        assert (await read("ships://shaped"))[1] == '"/ships"'
        assert (await read("ships://stepped"))[1] == '{"first":"GET"}'
        assert await read("ships://file") == ("text/plain", "Fram")
        with pytest.raises(MCPError, match="resource not found"):
            await client.read_resource("other://a")
    assert fixed == {"name": "fixed", "title": "Fixed", "uri": "ships://fixed", "description": "One ship"}
    assert [item["name"] for item in others] == ["shaped", "stepped", "file"]
    expected = {"name": "called", "title": "Called", "uriTemplate": "ships://{q}", "description": "A ship"}
    assert template == {**expected, "mimeType": "text/x-ship"}


@pytest.mark.shows("ExposesMcp", "prompts")
@pytest.mark.shows("McpPrompt", "name", "label", "description", "arguments", "template", "location")
@pytest.mark.shows("McpPromptArgument", "name", "label", "description", "required")
@pytest.mark.shows("McpPromptMessage", "role", "content")
async def test_prompts(serve: Serve, tmp_path: Path) -> None:
    prompts = """
      prompts:
        - name: ask
          label: Ask
          description: Asks for a ship
          arguments:
            - {name: ship, label: Ship, description: Which}
            - {name: tone, description: How, required: false}
          template: [{role: user, content: 'Where is {{ship}}{{tone}}?'}, {role: assistant, content: At sea.}]
        - {name: filed, label: Filed, description: From a file, location: 'file:///./ask.md'}
    """
    (tmp_path / "ask.md").write_text("Ask politely.")
    async with serve(mcp(prompts), folder=tmp_path) as served, served.client() as client:

        async def prompt(name: str, **arguments: str) -> list[tuple[str, str]]:
            messages = map(dumped, (await client.get_prompt(name, arguments)).messages)
            return [(item["role"], item["content"]["text"]) for item in messages]

        ask, filed = map(dumped, (await client.list_prompts()).prompts)
        assert await prompt("ask", ship="Fram", tone=", please") == [
            ("user", "Where is Fram, please?"),
            ("assistant", "At sea."),
        ]
        assert (await prompt("ask", ship="Fram"))[0] == ("user", "Where is Fram?")
        with pytest.raises(MCPError, match="'ship' is required"):
            await prompt("ask", tone="!")
        assert await prompt("filed") == [("user", "Ask politely.")]
    assert ask == {
        "name": "ask",
        "title": "Ask",
        "description": "Asks for a ship",
        "arguments": [
            {"name": "ship", "title": "Ship", "description": "Which", "required": True},
            {"name": "tone", "description": "How", "required": False},
        ],
    }
    assert filed == {"name": "filed", "title": "Filed", "description": "From a file"}
