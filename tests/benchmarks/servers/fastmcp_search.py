"""The search of FastMCP: reads tools and queries as JSON, and writes the names of the tools that each query finds."""

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client, FastMCP  # type: ignore[import-not-found]
from fastmcp.server.transforms.search import BM25SearchTransform  # type: ignore[import-not-found]
from fastmcp.tools.base import Tool, ToolResult  # type: ignore[import-not-found]


class DefinedTool(Tool):  # type: ignore[misc]
    """A tool that is only found."""

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        raise NotImplementedError


async def main() -> None:
    given = json.load(sys.stdin)
    server = FastMCP("search")
    for tool in given["tools"]:
        server.add_tool(DefinedTool(name=tool["name"], description=tool["description"], parameters=tool["inputSchema"]))
    server.add_transform(BM25SearchTransform(max_results=given["most"]))
    async with Client(server) as client:
        found = []
        for query in given["queries"]:
            result = await client.call_tool("search_tools", {"query": query})
            content = result.structured_content["result"] if result.structured_content else []
            found.append([tool["name"] for tool in content])
    json.dump(found, sys.stdout)


asyncio.run(main())
