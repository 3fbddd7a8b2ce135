"""Every YAML block of the pages is served with a stand-in, and answers; a mistake is told as its page says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from adapter_host import ExposerStatus, ForwardSpec, Input, UpstreamStatusError
from adapter_host.cli import main
from adapter_host.testing import running
from tests.support.page_examples import WRONG, documents, mistakes
from tests.support.pages import PAGES, blocks
from tests.support.paths import ROOT

ASKED = {"rest": "/openapi.json", "skill": "/skills", "control": "/health/live"}
"""What an exposer of a type answers whatever its document says."""

COLLECTOR = "http://127.0.0.1:4318"
"""Where pages have metrics and traces sent."""

SAMPLES = {"integer": 7, "number": 1.5, "boolean": True, "array": ["a"], "object": {"a": 1}}


def showing(mark: str) -> list[Path]:
    """Return the pages that have YAML blocks of a mark."""
    return [page for page in PAGES if any(block.mark == mark for block in blocks(page, "yaml"))]


def by_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def collector() -> AsyncIterator[str]:
    """Yield a collector that receives forwarded requests."""
    app = web.Application()
    app.router.add_post("/v1/{kind}", taken)
    async with TestServer(app) as server:
        yield str(server.make_url(""))


async def taken(_: web.Request) -> web.Response:
    return web.Response(content_type="application/x-protobuf")


@pytest.mark.parametrize("page", showing(""), ids=by_name)
async def test_every_example_is_served(page: Path, folder: Path, collector: str) -> None:
    for document in documents(page, folder):
        file = document if isinstance(document, Path) else Path("example.yaml")
        said = document.read_text() if isinstance(document, Path) else yaml.safe_dump(document)
        file.write_text(said.replace(COLLECTOR, collector))
        async with running(file, mock=True) as served:
            assert served.host.warnings == ()
            assert served.host.status()
            for status in served.host.status():
                await answers(status, file)
                await is_called(status, said)


async def answers(status: ExposerStatus, file: Path) -> None:
    """Check that an exposer responds, and rejects requests without the credentials it requires."""
    wanted = 200 if status.authentication == "none" else 401
    if status.url is None:
        await answers_on_standard_output(file)
    elif status.type in ASKED:
        assert await status_of(status.url + ASKED[status.type]) == wanted
    elif wanted == 401:
        assert await status_of(status.url) == wanted
    elif status.type == "mcp":
        async with Client(status.url) as client:
            await lists(client)
    else:
        address = urlsplit(status.url)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.close()
        await writer.wait_closed()


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def answers_on_standard_output(file: Path) -> None:
    """Check that the command serves the document to a client that starts it."""
    words = ["-m", "adapter_host", "serve", "--mock", "--stdio", str(file)]
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=words))) as client:
        await lists(client)


async def lists(client: Client) -> None:
    """Check that a client can list everything, get a prompt and read a resource without variables."""
    offered = client.server_capabilities
    tools = (await client.list_tools()).tools if offered.tools else []
    resources = (await client.list_resources()).resources if offered.resources else []
    templates = (await client.list_resource_templates()).resource_templates if offered.resources else []
    prompts = (await client.list_prompts()).prompts if offered.prompts else []
    assert tools or resources or templates or prompts
    for resource in resources:
        assert (await client.read_resource(resource.uri)).contents
    for prompt in prompts:
        given = {argument.name: "7" for argument in prompt.arguments or () if argument.required}
        assert (await client.get_prompt(prompt.name, given)).messages


async def is_called(status: ExposerStatus, said: str) -> None:
    """Every operation answers a call that gives what it requires, with a failure where its example is one."""
    for spec, operation in status.exposer.operations.items():
        if isinstance(spec, ForwardSpec):
            continue
        try:
            result = await operation.call(dict(sampled(operation.inputs)))
            assert (await result.hold(1 << 20)).status < 300
        except UpstreamStatusError as error:
            if f"status: {error.upstream_status}" not in said:
                raise


def sampled(inputs: tuple[Input, ...]) -> Iterator[tuple[str, Any]]:
    for each in inputs:
        if each.required:
            yield each.name, SAMPLES.get(each.type or "", "7")


@pytest.mark.parametrize("page", showing(WRONG), ids=by_name)
def test_every_mistake_is_told_as_shown(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file, said in mistakes(page, folder):
        assert main(["validate", str(file.relative_to(folder))]) == 1
        assert capsys.readouterr().err == said


def test_mistakes_are_shown() -> None:
    assert len(showing(WRONG)) >= 2
