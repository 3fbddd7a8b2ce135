"""Tests with published MCP clients: each lists, calls, reads and gets, over HTTP and stdio."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from adapter_host.testing import running

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
NODE_PACKAGES: Final = ROOT / "tests/conformance"
INSPECTOR: Final = NODE_PACKAGES / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
FASTMCP: Final = ROOT / ".cache/fastmcp/bin/python"
CAPABILITY: Final = HERE / "capability.yaml"
COMMAND: Final = [
    str(Path(sys.executable).with_name("adapter-host")),
    "serve",
    "--capability",
    str(CAPABILITY),
    "--stdio",
]
EXPECTED: Final = {
    "tools": ["greet"],
    "resources": ["greeting://about"],
    "prompts": ["be-kind"],
    "called": {"greeting": "Hello, Ada!"},
    "read": '{"what":"greetings"}',
    "got": "Be kind to cats.",
}


pytestmark = pytest.mark.skipif(os.environ.get("CLIENTS") != "required", reason="`make clients` installs and runs them")


@pytest.fixture(params=["http", "stdio"])
async def target(request: pytest.FixtureRequest) -> AsyncIterator[list[str]]:
    """Return the location of the served capability: a URL, or the command that serves it."""
    if request.param == "stdio":
        yield COMMAND
    else:
        async with running(CAPABILITY) as served:
            yield [served.url("greeting")]


def node() -> str:
    pinned = sorted(NODE_PACKAGES.glob("node_modules/node-*/bin/node"))
    return str(pinned[0]) if pinned else "node"


async def output_of(*command: str) -> Any:
    """Return the JSON output of a command."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode(errors="replace")
    return json.loads(output)


@pytest.mark.parametrize("package", ["sdk", "client"])
async def test_typescript_client(target: list[str], package: str) -> None:
    assert await output_of(node(), str(NODE_PACKAGES / "client.mjs"), package, *target) == EXPECTED


async def test_fastmcp_client(target: list[str]) -> None:
    assert await output_of(str(FASTMCP), str(HERE / "fastmcp_client.py"), *target) == EXPECTED


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        ("tools/list", [], lambda found: found["tools"][0]["name"] == "greet"),
        ("resources/list", [], lambda found: found["resources"][0]["uri"] == "greeting://about"),
        ("prompts/list", [], lambda found: found["prompts"][0]["name"] == "be-kind"),
        (
            "tools/call",
            ["--tool-name", "greet", "--tool-arg", "name=Ada"],
            lambda found: found["structuredContent"] == EXPECTED["called"],
        ),
        (
            "resources/read",
            ["--uri", "greeting://about"],
            lambda found: found["contents"][0]["text"] == EXPECTED["read"],
        ),
        (
            "prompts/get",
            ["--prompt-name", "be-kind", "--prompt-args", "whom=cats"],
            lambda found: found["messages"][0]["content"]["text"] == EXPECTED["got"],
        ),
    ],
)
async def test_inspector(target: list[str], method: str, options: list[str], expected: Any, tmp_path: Path) -> None:
    first, *rest = target
    server = {"type": "stdio", "command": first, "args": rest} if rest else {"type": "http", "url": first}
    config = tmp_path / "servers.json"
    config.write_bytes(orjson.dumps({"mcpServers": {"greeting": server}}))
    command = [node(), str(INSPECTOR), "--cli", "--config", str(config), "--server", "greeting"]
    assert expected(await output_of(*command, "--method", method, *options))
