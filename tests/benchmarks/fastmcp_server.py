"""FastMCP's way to serve the same API: from its OpenAPI description, without sessions, answers in JSON."""

import asyncio
import json
import socket
import sys

import httpx2
import uvicorn
from fastmcp import FastMCP  # type: ignore[import-not-found]


def main(upstream: str, description: str) -> None:
    client = httpx2.AsyncClient(base_url=upstream)
    served = FastMCP.from_openapi(openapi_spec=json.loads(description), client=client, name="stock")
    app = served.http_app(path="/mcp", stateless_http=True, json_response=True)
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)
    config = uvicorn.Config(app, log_level="error", access_log=False)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


main(*sys.argv[1:])
