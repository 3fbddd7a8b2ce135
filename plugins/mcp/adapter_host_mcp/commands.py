"""The commands `list` and `call-tool`, which use the tools of a running MCP server, or of a capability file."""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent, Tool

from adapter_host import AdapterHostError

from .search.served_tools import SEARCH_TOOLS

FAILED = 3
"""The exit code of a tool that fails, as that of `adapter-host call`."""


def run_list(options: argparse.Namespace) -> int:
    """Print the tools of the server."""
    _check(options.server)
    tools = asyncio.run(_list(options))
    if options.format == "json":
        data = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
        print(json.dumps(data, indent=2))
    else:
        print("\n".join(line for tool in tools for line in _lines(tool)))
    return 0


def run_call(options: argparse.Namespace) -> int:
    """Call the tool and print its result; return 3 if it fails."""
    _check(options.server)
    result = asyncio.run(_call(options))
    texts = [content.text for content in result.content if isinstance(content, TextContent)]
    if result.is_error:
        print(_printable("\n".join(texts)), file=sys.stderr)
        return FAILED
    if result.structured_content is not None:
        print(json.dumps(result.structured_content, indent=2))
    else:
        print(_printable("\n".join(texts)))
    return 0


def _check(server: str) -> None:
    if not _is_url(server) and not Path(server).is_file():
        raise AdapterHostError(f"'{server}' is neither an http or https URL nor a file")


def _is_url(server: str) -> bool:
    return server.startswith(("http://", "https://"))


async def _list(options: argparse.Namespace) -> Sequence[Tool]:
    async with _connected(options) as client:
        return await _tools(client)


async def _call(options: argparse.Namespace) -> CallToolResult:
    async with _connected(options) as client:
        tools = {tool.name: tool for tool in await _tools(client)}
        tool = tools.get(options.tool)
        if tool is None and SEARCH_TOOLS in tools:
            tool = await _find_tool(client, options.tool)
        if tool is None:
            known = ", ".join(tools) or "none"
            raise AdapterHostError(f"'{options.server}' has no tool '{options.tool}' (known: {known})")
        return await client.call_tool(tool.name, dict(_arguments(options.arguments, tool.input_schema)))


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


@asynccontextmanager
async def _connected(options: argparse.Namespace) -> AsyncIterator[Client]:
    """Connect to the server; raise `AdapterHostError` if that or a request fails."""
    # The problems of a file matter only if it cannot be served.
    log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
    try:
        if _is_url(options.server):
            async with (
                httpx2.AsyncClient(
                    headers=dict(options.header), timeout=60, verify=_tls_context(options)
                ) as http_client,
                Client(streamable_http_client(options.server, http_client=http_client)) as client,
            ):
                yield client
        else:
            mock = ["--mock"] if options.mock else []
            arguments = ["-m", "adapter_host", "serve", "--stdio", "--log-level", "error", *mock, options.server]
            async with Client(
                stdio_client(StdioServerParameters(command=sys.executable, args=arguments), log)
            ) as client:
                yield client
    except AdapterHostError:
        raise
    except Exception as error:
        log.seek(0)
        sys.stderr.write(_printable(log.read()))
        cause = _cause(error)
        if isinstance(cause, AdapterHostError):
            raise cause from None
        raise AdapterHostError(f"'{options.server}' cannot be used: {str(cause) or type(cause).__name__}") from error
    finally:
        log.close()


def _tls_context(options: argparse.Namespace) -> ssl.SSLContext:
    """Return the context for https URLs; raise `AdapterHostError` for a file that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except OSError as error:
        raise AdapterHostError(f"--ca: cannot read certificates from '{options.ca}': {_reason(error)}") from error
    if options.client_cert is not None:
        try:
            context.load_cert_chain(options.client_cert)
        except OSError as error:
            message = f"--client-cert: cannot read a certificate and its key from '{options.client_cert}'"
            raise AdapterHostError(f"{message}: {_reason(error)}") from error
    return context


def _reason(error: OSError) -> str:
    return "no valid PEM" if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()


def _cause(error: BaseException) -> BaseException:
    """Return the first error in groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


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
    yield _printable(f"{tool.name}: {tool.description}" if tool.description else tool.name)
    required = tool.input_schema.get("required", ())
    for name, schema in tool.input_schema.get("properties", {}).items():
        kind = schema.get("type", "any") if isinstance(schema, dict) else "any"
        described = f": {schema['description']}" if isinstance(schema, dict) and schema.get("description") else ""
        note = ", required" if name in required else ""
        yield _printable(f"  {name} ({kind if isinstance(kind, str) else ' or '.join(kind)}{note}){described}")


def _printable(text: str) -> str:
    """Return a text that cannot control a terminal."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )
