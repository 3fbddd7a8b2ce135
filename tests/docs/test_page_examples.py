"""Tests of the YAML blocks: each is served with a mock server and can be called; invalid ones show their message."""

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

from adapter_host import ApprovalRequiredError, ExposerStatus, ForwardSpec, Input, UpstreamStatusError
from adapter_host.cli import main
from adapter_host.testing import running
from tests.support.page_examples import WRONG, documents, mistakes
from tests.support.pages import PAGES, blocks
from tests.support.paths import ROOT

PROBED_PATHS = {"rest": "/openapi.json", "skill": "/skills", "control": "/health/live"}
"""A path for each exposer type that responds for any document."""

COLLECTOR = "http://127.0.0.1:4318"
"""The collector's URL in the pages."""

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
    app.router.add_post("/v1/{kind}", accept)
    async with TestServer(app) as server:
        yield str(server.make_url(""))


async def accept(_: web.Request) -> web.Response:
    return web.Response(content_type="application/x-protobuf")


@pytest.mark.parametrize("page", showing(""), ids=by_name)
async def test_every_example_is_served(page: Path, folder: Path, collector: str) -> None:
    for document in documents(page, folder):
        file = document if isinstance(document, Path) else Path("example.yaml")
        text = document.read_text() if isinstance(document, Path) else yaml.safe_dump(document)
        file.write_text(text.replace(COLLECTOR, collector))
        async with running(file, mock=True) as served:
            assert served.host.warnings == ()
            assert served.host.status()
            for status in served.host.status():
                await check_exposer(status, file)
                await check_operations(status, text)


async def check_exposer(status: ExposerStatus, file: Path) -> None:
    """Check that an exposer responds, and rejects requests without the credentials it requires."""
    expected = 200 if status.authentication == "none" else 401
    if status.url is None:
        await check_stdio(file)
    elif status.type in PROBED_PATHS:
        assert await status_of(status.url + PROBED_PATHS[status.type]) == expected
    elif expected == 401:
        assert await status_of(status.url) == expected
    elif status.type == "mcp":
        async with Client(status.url) as client:
            await check_listing(client)
    else:
        address = urlsplit(status.url)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.close()
        await writer.wait_closed()


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


async def check_stdio(file: Path) -> None:
    """Check that the command serves the document to a client that starts it."""
    words = ["-m", "adapter_host", "serve", "--mock", "--stdio", str(file)]
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=words))) as client:
        await check_listing(client)


async def check_listing(client: Client) -> None:
    """Check that a client can list everything, get a prompt and read a resource without variables."""
    capabilities = client.server_capabilities
    tools = (await client.list_tools()).tools if capabilities.tools else []
    resources = (await client.list_resources()).resources if capabilities.resources else []
    templates = (await client.list_resource_templates()).resource_templates if capabilities.resources else []
    prompts = (await client.list_prompts()).prompts if capabilities.prompts else []
    assert tools or resources or templates or prompts
    for resource in resources:
        assert (await client.read_resource(resource.uri)).contents
    for prompt in prompts:
        arguments = {argument.name: "7" for argument in prompt.arguments or () if argument.required}
        assert (await client.get_prompt(prompt.name, arguments)).messages


async def check_operations(status: ExposerStatus, text: str) -> None:
    """Check that every operation succeeds with its required inputs, unless its example is an error, or waits."""
    for spec, operation in status.exposer.operations.items():
        if isinstance(spec, ForwardSpec):
            continue
        try:
            result = await operation.call(dict(sample_arguments(operation.inputs)))
            assert (await result.hold(1 << 20)).status < 300
        except ApprovalRequiredError:
            # Its example is one of a call that waits for a person.
            assert "x-approval" in text
        except UpstreamStatusError as error:
            if f"status: {error.upstream_status}" not in text:
                raise


def sample_arguments(inputs: tuple[Input, ...]) -> Iterator[tuple[str, Any]]:
    for parameter in inputs:
        if parameter.required:
            examples = parameter.schema.get("examples")
            yield parameter.name, examples[0] if examples else SAMPLES.get(parameter.type or "", "7")


@pytest.mark.parametrize("page", showing(WRONG), ids=by_name)
def test_invalid_examples_show_their_message(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file, message in mistakes(page, folder):
        assert main(["validate", str(file.relative_to(folder))]) == 1
        assert capsys.readouterr().err == message


def test_there_are_invalid_examples() -> None:
    assert len(showing(WRONG)) >= 2
