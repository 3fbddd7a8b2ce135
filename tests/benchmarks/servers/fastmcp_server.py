"""The same API served by FastMCP from its OpenAPI document, without sessions, with JSON responses."""

import json
import os
import sys
from pathlib import Path

import httpx2
import uvicorn
from fastmcp import FastMCP  # type: ignore[import-not-found]


def main(port: str, upstream: str, description: str) -> None:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    client = httpx2.AsyncClient(base_url=upstream, headers=headers)
    served = FastMCP.from_openapi(openapi_spec=json.loads(Path(description).read_text()), client=client, name="orders")
    app = served.http_app(path="/mcp", stateless_http=True, json_response=True)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)


main(*sys.argv[1:])
