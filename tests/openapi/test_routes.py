"""Operations and their paths: requests, and the routes that REST has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.imported import Imported, consumed_operations, import_document, importing


def document(paths: dict[str, Any]) -> dict[str, Any]:
    servers = [{"url": "https://api.example.com"}]
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "servers": servers, "paths": paths}


def get(name: str = "a") -> dict[str, Any]:
    return {"get": {"operationId": name, "responses": {"200": {"description": "ok"}}}}


def source_of(paths: dict[str, Any], folder: Path) -> Path:
    source = folder / "source.json"
    source.write_text(json.dumps(document(paths)))
    return source


def routes_of(imported: Imported) -> list[str]:
    exposes = imported.document["capability"]["exposes"]
    return [resource["path"] for each in exposes if each["type"] == "rest" for resource in each["resources"]]


@pytest.mark.parametrize(
    ("path", "arguments", "target"),
    [
        ("/files/{id}#thumb", {"id": "7"}, "/files/7"),
        ("/{a}{b}", {"a": "1", "b": "2"}, "/12"),
        ("/{a}/x/{a}", {"a": "1"}, "/1/x/1"),
        ("/do?action=list", {}, "/do?action=list"),
        ("/do?id={id}", {"id": "7"}, "/do?id=7"),
        ("/a{}", {}, "/a%7B%7D"),
        ("a/b", {}, "/a/b"),
    ],
)
async def test_tool_of_unusual_path(path: str, arguments: Any, target: str, tmp_path: Path) -> None:
    async with importing(source_of({path: get()}, tmp_path), tmp_path) as imported:
        result = await imported.tool("a", arguments)
        assert not result.is_error
        assert imported.api.last.target == target


async def test_paths_that_differ_in_their_fragments(tmp_path: Path) -> None:
    paths = {"/files/{id}": get("one"), "/files/{id}#thumb": get("two"), "/files/{number}": get("three")}
    async with importing(source_of(paths, tmp_path), tmp_path) as imported:
        assert set(await imported.tools()) == {"one", "two", "three"}
        assert routes_of(imported) == ["/files/{id}"]


async def test_no_operation_has_a_route(tmp_path: Path) -> None:
    async with importing(source_of({"/{a}{b}": get()}, tmp_path), tmp_path) as imported:
        assert routes_of(imported) == []
        assert [each["type"] for each in imported.document["capability"]["exposes"]] == ["mcp"]


@pytest.mark.parametrize("path", ["/../x", "/a/%2e%2e/b", "/a/.;x/b", "/{{x}}"])
def test_path_that_is_not_sent(path: str, tmp_path: Path) -> None:
    capability, (warning,) = import_document(document({path: get(), "/fine": get("fine")}), tmp_path)
    assert [tool["name"] for tool in capability["capability"]["exposes"][-1]["tools"]] == ["fine"]
    assert "path not supported: it has" in warning


async def test_head_and_options(tmp_path: Path) -> None:
    responses = {"200": {"description": "ok"}}
    item = {method: {"operationId": method, "responses": responses} for method in ("get", "head", "options")}
    async with importing(source_of({"/a": item}, tmp_path), tmp_path) as imported:
        assert set(await imported.tools()) == {"get", "head", "options"}
        for method in ("HEAD", "OPTIONS", "GET"):
            assert not (await imported.tool(method.lower())).is_error
            assert imported.api.last.method == method
            assert (await imported.rest(method, "/a")).status == 200
            assert imported.api.last.method == method
        hints = {name: tool.annotations.read_only_hint for name, tool in (await imported.tools()).items()}
        assert hints == {"get": True, "head": True, "options": True}


def test_a_name_begins_with_a_letter(tmp_path: Path) -> None:
    # Not all providers of models allow a tool name that begins with a digit.
    ids = {"/a": "3DModels", "/b": "2", "/c": "v2"}
    paths = {path: {"get": {"operationId": name, "responses": {}}} for path, name in ids.items()}
    document, _ = import_document({"openapi": "3.1.0", "info": {"title": "A"}, "paths": paths}, tmp_path)
    assert list(consumed_operations(document)) == ["get-3-d-models", "get-2", "v2"]
