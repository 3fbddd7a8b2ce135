"""Resources, by the official client in both eras: listed, read, and what is not there."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client, MCPError

import adapter_host_mcp
from adapter_host import (
    Host,
    NotFoundError,
    Plugins,
    ProblemsError,
    Result,
    Settings,
    UpstreamStatusError,
    UpstreamTimeoutError,
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
    """Return a folder with files to serve, in which the document will stand."""
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
    """A client of the served resources, and what stands behind them."""

    client: Client
    stock: FakeConsumer


@asynccontextmanager
async def shop(
    mode: str, *resources: Mapping[str, Any], folder: Path | None = None, **settings: Any
) -> AsyncIterator[Shop]:
    given: Any = document(*resources)
    if folder is not None:
        file = folder / "shop.yaml"
        file.write_text(yaml.safe_dump(given))
        given = file
    async with running(given, **settings) as served, Client(served.url("shop"), mode=mode) as client:
        yield Shop(client, served.fake("stock"))


async def read(client: Client, uri: str) -> dict[str, Any]:
    (content,) = (await client.read_resource(uri)).contents
    return content.model_dump(exclude_none=True)


async def refused(client: Client, uri: str) -> tuple[int, str, Any]:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return caught.value.code, caught.value.message, caught.value.data


def not_found(mode: str) -> int:
    """Return the code of what is not there, which the newest revision changed."""
    return -32602 if mode == "auto" else -32002


async def test_what_has_variables_is_a_template_and_the_rest_are_resources(mode: str) -> None:
    async with shop(mode, ITEM, ITEMS) as served:
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


async def test_a_template_is_read_through_its_operation(mode: str) -> None:
    async with shop(mode, ITEM) as served:
        found = await read(served.client, "shop://items/7")
    assert found == {"uri": "shop://items/7", "mime_type": "application/json", "text": '{"id":7}'}
    assert served.stock.calls == [("get", {"id": 7})]


async def test_variables_are_decoded_and_may_stand_in_with(mode: str) -> None:
    given = {**ITEM, "uri": "shop://{number}/{tongue}", "with": {"id": "{{number}}", "lang": "shop.tongue"}}
    async with shop(mode, given) as served:
        await read(served.client, "shop://7/fr%20%2F%C3%A9")
    assert served.stock.calls == [("get", {"id": 7, "lang": "fr /é"})]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Result(body=b"a,b", media_type="text/csv; charset=utf-8"), {"mime_type": "text/csv", "text": "a,b"}),
        (Result(body=PNG, media_type="image/png"), {"mime_type": "image/png", "blob": base64.b64encode(PNG).decode()}),
        (Result(body=b"\xff", media_type=""), {"mime_type": "application/octet-stream", "blob": "/w=="}),
        (Result(body=b"plain", media_type=""), {"mime_type": "text/plain", "text": "plain"}),
        (Result(status=204, body=b"", media_type=""), {"mime_type": "text/plain", "text": ""}),
    ],
)
async def test_an_answer_keeps_its_media_type(mode: str, answer: Result, found: dict[str, str]) -> None:
    async with shop(mode, ITEMS) as served:
        served.stock.answers["list"] = lambda _: answer
        assert await read(served.client, "shop://items") == {"uri": "shop://items", **found}


async def test_the_declared_media_type_wins(mode: str) -> None:
    async with shop(mode, {**ITEMS, "mimeType": "text/markdown"}) as served:
        served.stock.answers["list"] = lambda _: Result(body=b"# A", media_type="application/octet-stream")
        assert await read(served.client, "shop://items") == {
            "uri": "shop://items",
            "mime_type": "text/markdown",
            "text": "# A",
        }


async def test_the_first_that_matches_is_read(mode: str) -> None:
    fixed = {**ITEMS, "uri": "shop://items/all"}
    async with shop(mode, fixed, ITEM) as served:
        await read(served.client, "shop://items/all")
        await read(served.client, "shop://items/1")
    assert [name for name, _ in served.stock.calls] == ["list", "get"]


@pytest.mark.parametrize("uri", ["shop://nothing", "shop://items/", "shop://items/1/2", "docs://guides/a"])
async def test_an_unknown_uri_is_named(mode: str, uri: str) -> None:
    async with shop(mode, ITEM, ITEMS) as served:
        assert await refused(served.client, uri) == (
            not_found(mode),
            f"{uri}: there is no such resource",
            {"uri": uri},
        )
        assert served.stock.calls == []


async def test_a_variable_of_another_type_is_the_callers_mistake(mode: str) -> None:
    async with shop(mode, ITEM) as served:
        code, message, _ = await refused(served.client, "shop://items/seven")
    assert (code, message) == (-32602, "shop://items/seven: 'id' must be an integer (given \"seven\")")


async def test_what_the_upstream_has_not_is_not_there(mode: str) -> None:
    def lack(_: Any) -> None:
        raise UpstreamStatusError(404, b'{"error":"sold"}', "application/json")

    async with shop(mode, ITEM) as served:
        served.stock.answers["get"] = lack
        assert await refused(served.client, "shop://items/7") == (
            not_found(mode),
            "shop://items/7: the upstream responded with 404 (Not Found)",
            {"uri": "shop://items/7", "status": 404, "body": '{"error":"sold"}'},
        )


@pytest.mark.parametrize(
    ("error", "message", "data"),
    [
        (UpstreamStatusError(503), "the upstream responded with 503 (Service Unavailable)", {"status": 503}),
        (UpstreamTimeoutError("the upstream did not answer in 5 s"), "the upstream did not answer in 5 s", {}),
    ],
)
async def test_an_upstream_failure_keeps_its_status(mode: str, error: Exception, message: str, data: Any) -> None:
    def fail(_: Any) -> None:
        raise error

    async with shop(mode, ITEMS) as served:
        served.stock.answers["list"] = fail
        assert await refused(served.client, "shop://items") == (
            -32603,
            f"shop://items: {message}",
            {"uri": "shop://items", **data},
        )


async def test_each_file_of_a_folder_is_listed(mode: str, folder: Path) -> None:
    async with shop(mode, DOCS, TERMS, folder=folder) as served:
        listed = (await served.client.list_resources()).resources
    assert [(each.uri, each.name, each.mime_type, each.size) for each in listed] == [
        ("docs://guides/broken.txt", "docs/broken.txt", "text/plain", 3),
        ("docs://guides/start%20here.md", "docs/start here.md", "text/markdown", 9),
        ("docs://guides/deep/LICENSE", "docs/deep/LICENSE", None, 4),
        ("docs://guides/deep/logo.png", "docs/deep/logo.png", "image/png", 6),
        ("docs://terms", "terms", "text/plain", 8),
    ]
    assert [each.title for each in listed][::2] == ["Guides: broken.txt", "Guides: deep/LICENSE", "Terms"]


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("docs://guides/start%20here.md", {"mime_type": "text/markdown", "text": "# Début\n"}),
        ("docs://guides/deep/LICENSE", {"mime_type": "text/plain", "text": "Free"}),
        ("docs://guides/deep/logo.png", {"mime_type": "image/png", "blob": base64.b64encode(PNG).decode()}),
        ("docs://guides/broken.txt", {"mime_type": "application/octet-stream", "blob": "Yf9i"}),
        ("docs://terms", {"mime_type": "text/plain", "text": "Be nice."}),
    ],
)
async def test_a_file_is_read_as_what_it_is(mode: str, folder: Path, uri: str, found: dict[str, str]) -> None:
    async with shop(mode, DOCS, TERMS, folder=folder) as served:
        assert await read(served.client, uri) == {"uri": uri, **found}


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
async def test_what_is_not_served_is_not_there(mode: str, folder: Path, uri: str) -> None:
    async with shop(mode, DOCS, TERMS, folder=folder) as served:
        code, message, data = await refused(served.client, uri)
    assert (code, data) == (not_found(mode), {"uri": uri})
    assert re.fullmatch(rf"{re.escape(uri)}: (file not found|there is no such resource)", message)


async def test_a_new_file_is_served_at_once(mode: str, folder: Path) -> None:
    async with shop(mode, DOCS, folder=folder) as served:
        (folder / "docs" / "new.json").write_text("{}")
        assert "docs://guides/new.json" in [each.uri for each in (await served.client.list_resources()).resources]
        assert (await read(served.client, "docs://guides/new.json"))["text"] == "{}"


async def test_a_large_file_is_refused(mode: str, folder: Path) -> None:
    async with shop(mode, TERMS, folder=folder, response_limit=7) as served:
        code, message, _ = await refused(served.client, "docs://terms")
    assert (code, message) == (-32603, "docs://terms: the file is larger than 7 bytes")


async def test_a_long_list_comes_in_pages(mode: str, folder: Path) -> None:
    for number in range(1005):
        (folder / "docs" / "deep" / f"{number}.txt").touch()
    async with shop(mode, DOCS, folder=folder) as served:
        first = await served.client.list_resources()
        rest = await served.client.list_resources(cursor=first.next_cursor)
    assert len({each.uri for each in (*first.resources, *rest.resources)}) == 1009
    assert rest.next_cursor is None


async def test_a_location_that_is_missing_is_warned_of_at_start(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with shop(mode, DOCS, ITEMS, folder=tmp_path) as served:
        assert [each.uri for each in (await served.client.list_resources()).resources] == ["shop://items"]
    assert (
        "adapter_host.mcp",
        logging.WARNING,
        "docs://guides: there is nothing at its location",
    ) in caplog.record_tuples


def host(*resources: Mapping[str, Any]) -> Host:
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    return Host(document(*resources), plugins=plugins, settings=Settings(environment={}))


@pytest.mark.parametrize(
    ("resource", "place", "message"),
    [
        ({"name": "r", "uri": "a://b"}, "", "the resource has no 'call', 'steps' or 'location'"),
        ({**ITEMS, "location": "file:///x"}, ".location", "a resource has one mode; this has 'location' and 'call'"),
        ({**ITEMS, "uri": "items"}, ".uri", "'uri' must begin with a scheme, as 'docs://' does (given 'items')"),
        ({**ITEM, "uri": "a://{+id}"}, ".uri", "'uri' may have variables as {name} alone (given '{+id}')"),
        ({**DOCS, "uri": "a://{x}"}, ".uri", "what has a 'location' has no variables in its uri (given {x})"),
        ({**DOCS, "location": "docs"}, ".location", "'location' must be file:///path or file:///./path (given 'docs')"),
        ({**ITEM, "uri": "a://b"}, ".uri", "the resource needs 'id', and its uri has no {id}"),
        ({**ITEM, "uri": None}, ".uri", "'uri' must be text (given nothing)"),
        ({**ITEM, "call": "stock.got"}, ".call", "unknown operation 'stock.got'"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_place(resource: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        host(resource)
    problem = f"capability.exposes.0.resources.0{place}: {message}"
    assert any(str(each).partition(": ")[2].startswith(problem) for each in caught.value.problems), caught.value


def test_a_resource_behind_another_of_its_uri_is_warned_of() -> None:
    (warning,) = host(ITEM, {**ITEM, "uri": "shop://items/{{id}}"}).warnings
    assert "another resource of this exposer has the uri shop://items/{id} already" in warning.message


async def test_inspect_is_offered_resources(folder: Path) -> None:
    (status,) = host(ITEM, {**TERMS, "location": f"file://{folder}/terms.txt"}).status()
    assert isinstance(status.exposer, McpExposer)
    item, terms = status.exposer.catalog()
    assert (item.title, item.details) == ("resource shop://items/{id}", {"mimeType": "application/json"})
    assert item.operation is not None
    assert terms.operation is not None
    assert [each.name for each in item.operation.inputs] == ["id"]
    assert terms.title == "resource docs://terms"
    assert (await terms.operation.call({})).body == b"Be nice."
    with pytest.raises(NotFoundError):
        await terms.operation.call({"path": "x"})
