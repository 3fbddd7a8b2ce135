"""Published documents: every tool is listed to clients of both protocol generations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator

from adapter_host import Host, Plugins, ProblemsError, Settings
from adapter_host_mcp.exposer import McpExposer

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus is not at {CORPUS}")
async def test_tools_of_published_documents_are_listed() -> None:
    listed = 0
    schemas: dict[str, Any] = {}
    plugins = Plugins.installed()
    for file in sorted(CORPUS.rglob("*.y*ml")):
        for exposer in mcp_exposers(file, plugins):
            async with TestClient(TestServer(exposer.build_app())) as client:
                handshake, stateless = await list_tools(client, {}), await list_tools(client, {"_meta": META})
            assert [tool["name"] for tool in handshake] == [tool["name"] for tool in stateless] == list(exposer.tools)
            schemas |= {json.dumps(tool["inputSchema"]): tool["inputSchema"] for tool in handshake + stateless}
            listed += len(handshake)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert listed > 500


def mcp_exposers(file: Path, plugins: Plugins) -> list[McpExposer]:
    """Return the MCP exposers of a file, or none when it has errors."""
    try:
        statuses = Host(file, plugins=plugins, settings=Settings(environment={})).status()
    except ProblemsError:
        return []
    return [status.exposer for status in statuses if isinstance(status.exposer, McpExposer)]


async def list_tools(client: TestClient[Any, Any], params: dict[str, Any]) -> list[dict[str, Any]]:
    headers = {"accept": "application/json"}
    if params:
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}
    async with client.post("/mcp", json=body, headers=headers) as response:
        result: list[dict[str, Any]] = (await response.json())["result"]["tools"]
        return result
