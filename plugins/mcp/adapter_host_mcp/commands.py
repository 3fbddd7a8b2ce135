"""The commands `list` and `call-tool`: the tools of an MCP server, of a REST exposer, or of a capability file."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mcp import Client
from mcp_types import CallToolResult, TextContent, Tool

from adapter_host import AdapterHostError

from .command_bodies import gather_fields, lift_fields
from .command_connection import Connection, connected, printable
from .search.served_tools import SEARCH_TOOLS

FAILED = 3
"""The exit code of a tool that fails, as that of `adapter-host call`."""


def run_list(options: argparse.Namespace) -> int:
    """Print the tools of the server."""
    tools = asyncio.run(_list(options))
    if options.format == "json":
        data = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
        print(json.dumps(data, indent=2))
    else:
        print("\n".join(line for tool in tools for line in _lines(tool)))
    return 0


def run_call(options: argparse.Namespace) -> int:
    """Call the tool and print its result; return 3 if it fails."""
    result = asyncio.run(_call(options))
    if options.json:
        print(json.dumps(result.model_dump(mode="json", by_alias=True, exclude_none=True), indent=2))
        return FAILED if result.is_error else 0
    texts = [content.text for content in result.content if isinstance(content, TextContent)]
    if result.is_error:
        print(printable("\n".join(texts)), file=sys.stderr)
        return FAILED
    if result.structured_content is not None:
        print(json.dumps(result.structured_content, indent=2))
    else:
        print(printable("\n".join(texts)))
    return 0


async def _list(options: argparse.Namespace) -> Sequence[Tool]:
    async with connected(options) as connection:
        return [_lifted(tool, connection) for tool in await _tools(connection.client)]


async def _call(options: argparse.Namespace) -> CallToolResult:
    async with connected(options) as connection:
        client = connection.client
        tools = {tool.name: tool for tool in await _tools(client)}
        tool = tools.get(options.tool)
        if tool is None and SEARCH_TOOLS in tools:
            tool = await _find_tool(client, options.tool)
        if tool is None:
            known = ", ".join(tools) or "none"
            raise AdapterHostError(f"'{options.server}' has no tool '{options.tool}' (known: {known})")
        given = dict(_arguments(options.arguments, _accepted(tool, connection)))
        arguments = gather_fields(given, tool.input_schema, connection.bodies.get(tool.name))
        return await client.call_tool(tool.name, arguments)


def _accepted(tool: Tool, connection: Connection) -> Mapping[str, Any]:
    """Return the schema of all arguments that a tool accepts: fields of its body, and the body itself."""
    lifted = lift_fields(tool.input_schema, connection.bodies.get(tool.name))
    return {**lifted, "properties": {**tool.input_schema.get("properties", {}), **lifted.get("properties", {})}}


def _lifted(tool: Tool, connection: Connection) -> Tool:
    schema = lift_fields(tool.input_schema, connection.bodies.get(tool.name))
    return tool.model_copy(update={"input_schema": dict(schema)})


async def _find_tool(client: Client, name: str) -> Tool | None:
    """Return a tool that the server does not list, but finds by its name."""
    result = await client.call_tool(SEARCH_TOOLS, {"query": name})
    texts = [content.text for content in result.content if isinstance(content, TextContent)]
    found = (result.structured_content or json.loads("".join(texts) or "{}")).get("tools", ())
    return next((Tool.model_validate(tool, by_name=False) for tool in found if tool["name"] == name), None)


async def _tools(client: Client) -> list[Tool]:
    page = await client.list_tools()
    tools = [*page.tools]
    while page.next_cursor is not None:
        page = await client.list_tools(cursor=page.next_cursor)
        tools += page.tools
    return tools


def _arguments(pairs: Sequence[tuple[str, str]], schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments by name, as JSON where the schema of the tool accepts no text."""
    properties = schema.get("properties", {})
    for name, text in pairs:
        types = properties.get(name, {}).get("type", "string")
        if "string" in ([types] if isinstance(types, str) else types):
            yield name, text
            continue
        try:
            yield name, json.loads(text)
        except ValueError:
            yield name, text


def _lines(tool: Tool) -> Iterator[str]:
    """Yield the description of a tool: its name and text, and a line for each argument."""
    yield printable(f"{tool.name}: {tool.description}" if tool.description else tool.name)
    required = tool.input_schema.get("required", ())
    for name, schema in tool.input_schema.get("properties", {}).items():
        kind = schema.get("type", "any") if isinstance(schema, dict) else "any"
        described = f": {schema['description']}" if isinstance(schema, dict) and schema.get("description") else ""
        note = ", required" if name in required else ""
        yield printable(f"  {name} ({kind if isinstance(kind, str) else ' or '.join(kind)}{note}){described}")
