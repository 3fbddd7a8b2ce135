"""List, call, read and get with FastMCP's client at a URL or with a command, and print the results as JSON."""

import asyncio
import json
import sys

from fastmcp import Client  # type: ignore[import-not-found]  # in a virtual environment of its own
from fastmcp.client.transports import StdioTransport  # type: ignore[import-not-found]


async def main(target: str, *arguments: str) -> None:
    transport = target if target.startswith("http") else StdioTransport(target, list(arguments))
    async with Client(transport) as client:
        result = await client.call_tool("greet", {"name": "Ada"})
        read = await client.read_resource("greeting://about")
        got = await client.get_prompt("be-kind", {"whom": "cats"})
        results = {
            "tools": [tool.name for tool in await client.list_tools()],
            "resources": [str(resource.uri) for resource in await client.list_resources()],
            "prompts": [prompt.name for prompt in await client.list_prompts()],
            "called": result.structured_content,
            "read": read[0].text,
            "got": got.messages[0].content.text,
        }
    print(json.dumps(results))


asyncio.run(main(*sys.argv[1:]))
