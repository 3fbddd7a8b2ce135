"""Resources, with the official client in both protocol generations."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client, MCPError
from syrupy.assertion import SnapshotAssertion

import adapter_host_mcp
from adapter_host import (
    Host,
    NotFoundError,
    Plugins,
    ProblemsError,
    Result,
    Settings,
    UpstreamDisconnectedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from adapter_host.testing import FakeConsumer, FakePlugin, running
from adapter_host_mcp.exposer import McpExposer

PNG = b"\x89PNG\r\n"
STOCK = {
    "type": "fake",
    "namespace": "stock",
    "operations": [
        {
            "name": "get",
            "inputParameters": [
                {"name": "id", "in": "path", "type": "integer", "required": True},
                {"name": "lang", "in": "query"},
            ],
        },
        {"name": "list"},
    ],
}
ITEM = {
    "name": "item",
    "label": "An item",
    "uri": "shop://items/{id}",
    "description": "One item",
    "mimeType": "application/json",
    "call": "stock.get",
}
ITEMS = {
    "name": "items",
    "label": "All items",
    "uri": "shop://items",
    "description": "Every item",
    "call": "stock.list",
}
DOCS = {
    "name": "docs",
    "label": "Guides",
    "uri": "docs://guides",
    "description": "Guides",
    "location": "file:///./docs",
}
TERMS = {
    "name": "terms",
    "label": "Terms",
    "uri": "docs://terms",
    "description": "T",
    "location": "file:///./terms.txt",
}


@pytest.fixture(params=["legacy", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def document(*resources: Mapping[str, Any]) -> dict[str, Any]:
    exposer = {"type": "mcp", "namespace": "shop", "port": 0, "resources": list(resources)}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {"consumes": [STOCK], "exposes": [exposer]},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create a folder with files to serve."""
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "start here.md").write_text("# Début\n")
    (tmp_path / "docs" / "deep" / "logo.png").write_bytes(PNG)
    (tmp_path / "docs" / "deep" / "LICENSE").write_text("Free")
    (tmp_path / "docs" / "broken.txt").write_bytes(b"a\xffb")
    (tmp_path / "docs" / ".env").write_text("SECRET=1")
    (tmp_path / "terms.txt").write_text("Be nice.")
    (tmp_path / "secret.txt").write_text("outside")
    return tmp_path


@dataclass
class Shop:
    """A client of the served resources, and the fake upstream."""

    client: Client
    stock: FakeConsumer


@asynccontextmanager
async def serve_shop(
    mode: str, *resources: Mapping[str, Any], folder: Path | None = None, **settings: Any
) -> AsyncIterator[Shop]:
    source: Any = document(*resources)
    if folder is not None:
        file = folder / "shop.yaml"
        file.write_text(yaml.safe_dump(source))
        source = file
    async with running(source, **settings) as served, Client(served.url("shop"), mode=mode) as client:
        yield Shop(client, served.fake("stock"))


async def read(client: Client, uri: str) -> dict[str, Any]:
    (content,) = (await client.read_resource(uri)).contents
    return content.model_dump(exclude_none=True)


async def read_error(client: Client, uri: str) -> tuple[int, str, Any]:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return caught.value.code, caught.value.message, caught.value.data


def not_found(mode: str) -> int:
    """Return the error code for a missing resource, which the newest revision changed."""
    return -32602 if mode == "auto" else -32002


async def test_list_resources_and_templates(mode: str) -> None:
    async with serve_shop(mode, ITEM, ITEMS) as served:
        (template,) = (await served.client.list_resource_templates()).resource_templates
        (resource,) = (await served.client.list_resources()).resources
        capabilities = served.client.server_capabilities
    assert template.model_dump(exclude_none=True) == {
        "name": "item",
        "title": "An item",
        "uri_template": "shop://items/{id}",
        "description": "One item",
        "mime_type": "application/json",
    }
    assert resource.model_dump(exclude_none=True) == {
        "name": "items",
        "title": "All items",
        "uri": "shop://items",
        "description": "Every item",
    }
    assert capabilities is not None
    assert capabilities.resources is not None
    assert (capabilities.prompts, capabilities.completions) == (None, None)


async def test_read_resource_template(mode: str) -> None:
    async with serve_shop(mode, ITEM) as served:
        expected = await read(served.client, "shop://items/7")
    assert expected == {"uri": "shop://items/7", "mime_type": "application/json", "text": '{"id":7}'}
    assert served.stock.calls == [("get", {"id": 7})]


async def test_variables_are_decoded_and_used_in_with(mode: str) -> None:
    resource = {**ITEM, "uri": "shop://{number}/{tongue}", "with": {"id": "{{number}}", "lang": "shop.tongue"}}
    async with serve_shop(mode, resource) as served:
        await read(served.client, "shop://7/fr%20%2F%C3%A9")
    assert served.stock.calls == [("get", {"id": 7, "lang": "fr /é"})]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Result(body=b"a,b", media_type="text/csv; charset=utf-8"), {"mime_type": "text/csv", "text": "a,b"}),
        (Result(body=PNG, media_type="image/png"), {"mime_type": "image/png", "blob": base64.b64encode(PNG).decode()}),
        (Result(body=b"\xff", media_type=""), {"mime_type": "application/octet-stream", "blob": "/w=="}),
        (Result(body=b"plain", media_type=""), {"mime_type": "text/plain", "text": "plain"}),
        (Result(status=204, body=b"", media_type=""), {"mime_type": "text/plain", "text": ""}),
    ],
)
async def test_resource_content_by_media_type(mode: str, response: Result, expected: dict[str, str]) -> None:
    async with serve_shop(mode, ITEMS) as served:
        served.stock.responses["list"] = lambda _: response
        assert await read(served.client, "shop://items") == {"uri": "shop://items", **expected}


async def test_declared_media_type_overrides_response(mode: str) -> None:
    async with serve_shop(mode, {**ITEMS, "mimeType": "text/markdown"}) as served:
        served.stock.responses["list"] = lambda _: Result(body=b"# A", media_type="application/octet-stream")
        assert await read(served.client, "shop://items") == {
            "uri": "shop://items",
            "mime_type": "text/markdown",
            "text": "# A",
        }


async def test_first_matching_resource_is_read(mode: str) -> None:
    fixed = {**ITEMS, "uri": "shop://items/all"}
    async with serve_shop(mode, fixed, ITEM) as served:
        await read(served.client, "shop://items/all")
        await read(served.client, "shop://items/1")
    assert [name for name, _ in served.stock.calls] == ["list", "get"]


@pytest.mark.parametrize("uri", ["shop://nothing", "shop://items/", "shop://items/1/2", "docs://guides/a"])
async def test_unknown_uri(mode: str, uri: str, snapshot: SnapshotAssertion) -> None:
    async with serve_shop(mode, ITEM, ITEMS) as served:
        code, message, data = await read_error(served.client, uri)
    assert (code, data) == (not_found(mode), {"uri": uri})
    assert message == snapshot
    assert served.stock.calls == []


async def test_invalid_variable_is_invalid_params(mode: str, snapshot: SnapshotAssertion) -> None:
    async with serve_shop(mode, ITEM) as served:
        code, message, _ = await read_error(served.client, "shop://items/seven")
    assert code == -32602
    assert message == snapshot


async def test_upstream_404_is_resource_not_found(mode: str, snapshot: SnapshotAssertion) -> None:
    def not_found_upstream(_: Any) -> None:
        raise UpstreamStatusError(404, b'{"error":"sold"}', "application/json")

    async with serve_shop(mode, ITEM) as served:
        served.stock.responses["get"] = not_found_upstream
        code, message, data = await read_error(served.client, "shop://items/7")
    assert code == not_found(mode)
    assert data == {"uri": "shop://items/7", "status": 404, "sent": True, "body": '{"error":"sold"}'}
    assert message == snapshot


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (UpstreamStatusError(503), {"status": 503, "sent": True}),
        (UpstreamTimeoutError("upstream timeout"), {}),
        (UpstreamDisconnectedError("the connection was closed"), {"sent": True}),
        (UpstreamUnreachableError("no connection"), {"sent": False}),
    ],
    ids=["status", "timeout", "disconnected", "unreachable"],
)
async def test_upstream_failure_is_an_internal_error(
    mode: str, error: Exception, data: Any, snapshot: SnapshotAssertion
) -> None:
    def fail(_: Any) -> None:
        raise error

    async with serve_shop(mode, ITEMS) as served:
        served.stock.responses["list"] = fail
        code, message, error_data = await read_error(served.client, "shop://items")
    assert (code, error_data) == (-32603, {"uri": "shop://items", **data})
    assert message == snapshot


async def test_list_files_of_a_folder(mode: str, folder: Path) -> None:
    async with serve_shop(mode, DOCS, TERMS, folder=folder) as served:
        listed = (await served.client.list_resources()).resources
    assert [(item.uri, item.name, item.mime_type, item.size) for item in listed] == [
        ("docs://guides/broken.txt", "docs/broken.txt", "text/plain", 3),
        ("docs://guides/start%20here.md", "docs/start here.md", "text/markdown", 9),
        ("docs://guides/deep/LICENSE", "docs/deep/LICENSE", None, 4),
        ("docs://guides/deep/logo.png", "docs/deep/logo.png", "image/png", 6),
        ("docs://terms", "terms", "text/plain", 8),
    ]
    assert [item.title for item in listed][::2] == ["Guides: broken.txt", "Guides: deep/LICENSE", "Terms"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("docs://guides/start%20here.md", {"mime_type": "text/markdown", "text": "# Début\n"}),
        ("docs://guides/deep/LICENSE", {"mime_type": "text/plain", "text": "Free"}),
        ("docs://guides/deep/logo.png", {"mime_type": "image/png", "blob": base64.b64encode(PNG).decode()}),
        ("docs://guides/broken.txt", {"mime_type": "application/octet-stream", "blob": "Yf9i"}),
        ("docs://terms", {"mime_type": "text/plain", "text": "Be nice."}),
    ],
)
async def test_file_content_by_media_type(mode: str, folder: Path, uri: str, expected: dict[str, str]) -> None:
    async with serve_shop(mode, DOCS, TERMS, folder=folder) as served:
        assert await read(served.client, uri) == {"uri": uri, **expected}


@pytest.mark.parametrize(
    "uri",
    [
        "docs://guides",
        "docs://guides/",
        "docs://guides/missing.md",
        "docs://guides/.env",
        "docs://guides/../secret.txt",
        "docs://guides/%2e%2e/secret.txt",
        "docs://guides/..%2fsecret.txt",
        "docs://terms/..",
    ],
)
async def test_unserved_files_are_not_found(mode: str, folder: Path, uri: str, snapshot: SnapshotAssertion) -> None:
    async with serve_shop(mode, DOCS, TERMS, folder=folder) as served:
        code, message, data = await read_error(served.client, uri)
    assert (code, data) == (not_found(mode), {"uri": uri})
    assert message == snapshot


async def test_new_file_is_served_without_reload(mode: str, folder: Path) -> None:
    async with serve_shop(mode, DOCS, folder=folder) as served:
        (folder / "docs" / "new.json").write_text("{}")
        assert "docs://guides/new.json" in [item.uri for item in (await served.client.list_resources()).resources]
        assert (await read(served.client, "docs://guides/new.json"))["text"] == "{}"


async def test_file_size_limit(mode: str, folder: Path, snapshot: SnapshotAssertion) -> None:
    async with serve_shop(mode, TERMS, folder=folder, response_limit=7) as served:
        code, message, _ = await read_error(served.client, "docs://terms")
    assert code == -32603
    assert message == snapshot


async def test_resources_list_is_paginated(mode: str, folder: Path) -> None:
    for number in range(1005):
        (folder / "docs" / "deep" / f"{number}.txt").touch()
    async with serve_shop(mode, DOCS, folder=folder) as served:
        first = await served.client.list_resources()
        rest = await served.client.list_resources(cursor=first.next_cursor)
    assert len({item.uri for item in (*first.resources, *rest.resources)}) == 1009
    assert rest.next_cursor is None


async def test_warning_at_start_for_missing_location(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, snapshot: SnapshotAssertion
) -> None:
    async with serve_shop(mode, DOCS, ITEMS, folder=tmp_path) as served:
        assert [item.uri for item in (await served.client.list_resources()).resources] == ["shop://items"]
    (record,) = [record for record in caplog.records if record.name == "adapter_host.mcp"]
    assert record.levelno == logging.WARNING
    assert record.message == snapshot


def host(*resources: Mapping[str, Any]) -> Host:
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    return Host(document(*resources), plugins=plugins, settings=Settings(environment={}))


@pytest.mark.parametrize(
    ("resource", "code", "path"),
    [
        pytest.param({"name": "r", "uri": "a://b"}, "modes", "", id="no content"),
        pytest.param({**ITEMS, "location": "file:///x"}, "modes", ".location", id="call and location"),
        pytest.param({**ITEMS, "uri": "items"}, "invalid", ".uri", id="no scheme"),
        pytest.param({**ITEM, "uri": "a://{+id}"}, "invalid", ".uri", id="variable"),
        pytest.param({**DOCS, "uri": "a://{x}"}, "invalid", ".uri", id="variable with location"),
        pytest.param({**DOCS, "location": "docs"}, "invalid", ".location", id="location"),
        pytest.param({**ITEM, "uri": "a://b"}, "missing-variable", ".uri", id="missing variable"),
        pytest.param({**ITEM, "uri": None}, "type", ".uri", id="no uri"),
        pytest.param({**ITEM, "call": "stock.got"}, "unknown-call", ".call", id="unknown operation"),
    ],
)
def test_invalid_resources(resource: dict[str, Any], code: str, path: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        host(resource)
    problems = caught.value.problems
    assert (code, f"capability.exposes.0.resources.0{path}") in [
        (problem.code, problem.message.partition(": ")[0]) for problem in problems
    ]
    assert [problem.message for problem in problems] == snapshot


def test_warning_for_shadowed_resource(snapshot: SnapshotAssertion) -> None:
    (warning,) = host(ITEM, {**ITEM, "uri": "shop://items/{{id}}"}).warnings
    assert warning.code == "shadowed-resource"
    assert warning.message == snapshot


async def test_catalog_of_resources(folder: Path) -> None:
    (status,) = host(ITEM, {**TERMS, "location": f"file://{folder}/terms.txt"}).status()
    assert isinstance(status.exposer, McpExposer)
    item, terms = status.exposer.catalog()
    assert (item.title, item.details) == ("resource shop://items/{id}", {"mimeType": "application/json"})
    assert item.operation is not None
    assert terms.operation is not None
    assert [item.name for item in item.operation.inputs] == ["id"]
    assert terms.title == "resource docs://terms"
    assert (await terms.operation.call({})).body == b"Be nice."
    with pytest.raises(NotFoundError):
        await terms.operation.call({"path": "x"})
