"""The commands `list` and `call-tool`, against running servers and files."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
