"""The commands `list` and `call-tool`, against running servers and files."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter_host import Host, Settings
from tests.support.certificates import CLIENT_AUTHORITY, issue, server_files, write_authority

ROOT = Path(__file__).parents[3]
FILE = ROOT / "capabilities/greeting.yaml"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adapter_host", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    ports = {"greeting-rest": 0, "greeting-mcp": 0}
    async with Host(FILE, settings=Settings(ports=ports, environment={})) as host:
        yield next(status.url or "" for status in host.status() if status.exposer.config.type == "mcp")


GREET = {
    "name": "greet",
    "description": "Greets a person a number of times",
    "inputParameters": [
        {"name": "name", "type": "string", "description": "Whom to greet"},
        {"name": "times", "type": "integer", "description": "How often", "required": True},
    ],
    "outputParameters": [
        {"name": "greeting", "type": "string", "value": "Hello, {{name}}!"},
        {"name": "times", "type": "number", "value": "{{times}}"},
    ],
}
BOTH = [
    {
        "type": "rest",
        "namespace": "greeting-rest",
        "port": 0,
        "authentication": {"type": "bearer", "token": "t0ken"},
        "resources": [{"path": "/greetings/{name}", "operations": [{"method": "POST", **GREET}]}],
    },
    {"type": "mcp", "namespace": "greeting-mcp", "port": 0, "tools": [GREET]},
]


@pytest.fixture
async def urls() -> AsyncIterator[dict[str, str]]:
    """The URLs of the same operation by protocol; callers of REST need a token."""
    document = {"naftiko": "1.0.0-alpha2", "info": {"label": "Greeting"}, "capability": {"exposes": BOTH}}
    async with Host(document, settings=Settings(environment={})) as host:
        yield {status.exposer.config.type: status.url or "" for status in host.status()}


async def run_in_thread(*arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(run, *arguments)


async def test_tools_of_a_running_server(url: str) -> None:
    result = await run_in_thread("list", url)
    assert (result.returncode, result.stderr) == (0, "")
    assert "greet: Greets a person a number of times\n" in result.stdout
    assert "  times (integer, required): How often\n" in result.stdout
    result = await run_in_thread("list", url, "--format", "json")
    assert "greet" in [tool["name"] for tool in json.loads(result.stdout)]


async def test_call_of_a_running_server(url: str) -> None:
    result = await run_in_thread("call-tool", url, "greet", "name=Ada", "times=2")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"greeting": "Hello, Ada!", "times": 2}


TOKEN = ("--header", "Authorization: Bearer t0ken")


async def test_a_rest_exposer_is_used_like_an_mcp_server(urls: dict[str, str]) -> None:
    url = urls["rest"]
    (tool,) = json.loads((await run_in_thread("list", url, "--json", *TOKEN)).stdout)
    assert (tool["name"], tool["description"]) == ("greet", GREET["description"])
    schema = tool["inputSchema"]
    assert {name: each["type"] for name, each in schema["properties"].items()} == {"name": "string", "times": "integer"}
    assert sorted(schema["required"]) == ["name", "times"]
    result = await run_in_thread("call-tool", url, "greet", "name=Ada", "times=2", *TOKEN)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"greeting": "Hello, Ada!", "times": 2}


async def test_a_complete_body_and_a_complete_result(urls: dict[str, str]) -> None:
    arguments = ("name=Ada", 'body={"times": 3}')
    result = await run_in_thread("call-tool", f"{urls['rest']}/docs", "greet", *arguments, "--json", *TOKEN)
    complete = json.loads(result.stdout)
    assert (complete["isError"], complete["structuredContent"]["times"]) == (False, 3)


async def test_failures_of_a_rest_exposer(urls: dict[str, str]) -> None:
    url = urls["rest"]
    missing = await run_in_thread("call-tool", url, "greet", "name=Ada", *TOKEN)
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "times is required" in missing.stderr
    unknown = await run_in_thread("call-tool", f"{url}/docs", "great", *TOKEN)
    assert unknown.returncode == 1
    assert "has no tool 'great' (known: greet" in unknown.stderr
    refused = await run_in_thread("list", url, "--header", "Authorization: Bearer wr0ng")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"adapter-host: '{url}' requires credentials; set --header")
    assert "wr0ng" not in refused.stderr


async def test_a_url_of_something_else() -> None:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(text="<html></html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        result = await run_in_thread("list", url)
    assert result.returncode == 1
    assert result.stderr.startswith(f"adapter-host: '{url}' is neither an MCP server (")
    assert "nor a REST exposer (/openapi.json: 200)" in result.stderr


async def test_credentials_are_sent_to_the_exposer_only() -> None:
    """A document can name other servers, for the API and for one operation."""
    seen: list[tuple[str, str | None]] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append((request.host, request.headers.get("X-Key")))
        operation = {"operationId": "read", "responses": {"200": {"description": "ok"}}, "servers": servers}
        paths = {"/thing": {"get": operation, "servers": servers}}
        data = {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "servers": servers, "paths": paths}
        return web.json_response(data if request.path == "/openapi.json" else {"read": True})

    app = web.Application()
    app.router.add_get("/{path:.*}", respond)
    async with TestServer(app) as exposer, TestServer(app) as other:
        servers = [{"url": str(other.make_url("/"))}]
        url = str(exposer.make_url("")).rstrip("/")
        result = await run_in_thread("call-tool", url, "read", "--header", "X-Key: k{{3}}y")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"read": True}
    assert seen == [(url.removeprefix("http://"), "k{{3}}y")] * 2


async def test_failed_call(url: str) -> None:
    result = await run_in_thread("call-tool", url, "greet", "name=Ada")
    assert (result.returncode, result.stdout) == (3, "")
    assert "'times' is required" in result.stderr


async def test_unknown_tool(url: str) -> None:
    result = await run_in_thread("call-tool", url, "great")
    assert result.returncode == 1
    assert result.stderr.startswith(f"adapter-host: '{url}' has no tool 'great' (known: greet")


def test_problems_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("naftiko: 1.0.0-alpha2\ncapability: {}\n")
    result = run("list", str(file))
    assert result.returncode == 1
    assert "nothing is exposed or consumed" in result.stderr
    assert "Traceback" not in result.stderr


def test_file() -> None:
    result = run("call-tool", str(FILE), "greet", "name=Ada", "times=2")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"greeting": "Hello, Ada!", "times": 2}


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("http://127.0.0.1:9/mcp", "'http://127.0.0.1:9/mcp' cannot be used: "),
        ("no-such.yaml", "'no-such.yaml' is neither an http or https URL nor a file"),
    ],
)
def test_no_server(server: str, reason: str) -> None:
    result = run("list", server)
    assert result.returncode == 1
    assert result.stderr.startswith(f"adapter-host: {reason}")
    assert "Traceback" not in result.stderr


async def test_server_with_tls(tmp_path: Path) -> None:
    tls = server_files(tmp_path, clients=True)
    client = tmp_path / "client-and-key.pem"
    client.write_bytes(b"".join(file.read_bytes() for file in issue(tmp_path, "client", authority=CLIENT_AUTHORITY)))
    ports = {"greeting-rest": 0, "greeting-mcp": 0}
    async with Host(FILE, settings=Settings(ports=ports, environment={}, tls=tls)) as host:
        url = next(status.url or "" for status in host.status() if status.exposer.config.type == "mcp")
        trusted = ["--ca", str(write_authority(tmp_path))]
        result = await run_in_thread(
            "call-tool", url, "greet", "name=Ada", "times=2", *trusted, "--client-cert", str(client)
        )
        assert (result.returncode, result.stderr) == (0, "")
        assert json.loads(result.stdout) == {"greeting": "Hello, Ada!", "times": 2}
        rest = next(status.url or "" for status in host.status() if status.exposer.config.type == "rest")
        result = await run_in_thread("call-tool", rest, "greet", "name=Ada", *trusted, "--client-cert", str(client))
        assert (result.returncode, result.stderr) == (0, "")
        assert json.loads(result.stdout)["greeting"] == "Hello, Ada!"
        result = await run_in_thread("list", url)
        assert (result.returncode, result.stdout) == (1, "")
        assert "certificate verify failed" in result.stderr


@pytest.mark.parametrize("option", ["--ca", "--client-cert"])
@pytest.mark.parametrize(("text", "reason"), [(None, "no such file or directory"), ("x", "no valid PEM")])
def test_unusable_certificates(option: str, text: str | None, reason: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "file.pem").write_text(text)
    result = run("list", "https://127.0.0.1:1/mcp", option, str(tmp_path / "file.pem"))
    assert result.returncode == 1
    assert result.stderr.startswith(f"adapter-host: {option}: cannot read")
    assert reason in result.stderr
