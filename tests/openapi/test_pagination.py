"""Imports suggest declarations of pages, and declare none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import Host, Settings
from adapter_host.cli import main

ITEM = {"type": "object", "properties": {"id": {"type": "string"}}}
ARRAY = {"type": "array", "items": ITEM}


def parameter(name: str, type_name: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": type_name}}


def envelope(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def document(schema: Any, *names: str, headers: Any = None, method: str = "get", keys: Any = None) -> dict[str, Any]:
    """Return a document with one operation that returns `schema`, and has parameters."""
    response = {"description": "ok", "content": {"application/json": {"schema": schema}}, "headers": headers or {}}
    operation = {"operationId": "listSeeds", "parameters": [parameter(name) for name in names], **(keys or {})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Seeds", "version": "1"},
        "servers": [{"url": "https://seeds.test"}],
        "paths": {"/seeds": {method: {**operation, "responses": {"200": response}}}},
        "components": {"schemas": {"Page": envelope(records=ARRAY, meta=envelope(next_cursor={"type": "string"}))}},
    }


MS_PAGEABLE = {"nextLinkName": "nextLink"}
SPEAKEASY_CURSOR = {
    "type": "cursor",
    "inputs": [{"name": "page[after]", "in": "parameters", "type": "cursor"}],
    "outputs": {"nextCursor": "$.meta.next", "results": "$.data"},
}
SPEAKEASY_OFFSET = {
    "type": "offsetLimit",
    "inputs": [{"name": "skip", "in": "parameters", "type": "offset"}, {"name": "limit", "type": "limit"}],
    "outputs": {"results": "$.data"},
}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            document(envelope(value=ARRAY, nextLink={"type": "string"}), keys={"x-ms-pageable": MS_PAGEABLE}),
            {"form": "link", "items": "$.value", "next": "$.nextLink"},
        ),
        (
            document(envelope(data=ARRAY), "page[after]", keys={"x-speakeasy-pagination": SPEAKEASY_CURSOR}),
            {"form": "cursor", "items": "$.data", "next": "$.meta.next", "input": "page[after]"},
        ),
        (
            document(envelope(data=ARRAY), "skip", "limit", keys={"x-speakeasy-pagination": SPEAKEASY_OFFSET}),
            {
                "form": "offset",
                "items": "$.data",
                "input": "skip",
                "pageSize": {"input": "limit", "value": 100},
                "limitInput": "max-items",
            },
        ),
        (
            document(ARRAY, "page", headers={"Link": {"schema": {"type": "string"}}}),
            {"form": "link", "items": "$"},
        ),
        (
            document({"$ref": "#/components/schemas/Page"}, "cursor", "per_page"),
            {
                "form": "cursor",
                "items": "$.records",
                "next": "$.meta.next_cursor",
                "input": "cursor",
                "pageSize": {"input": "per_page", "value": 100},
            },
        ),
        (
            document(envelope(data=ARRAY, links=envelope(next={"type": ["string", "null"]})), "page"),
            {"form": "link", "items": "$.data", "next": "$.links.next"},
        ),
        (
            document(envelope(items=ARRAY, other=ARRAY, total_count={"type": "integer"}), "page"),
            {"form": "page", "items": "$.items", "input": "page", "total": "$.total_count"},
        ),
        (document(ARRAY, "offset"), {"form": "offset", "items": "$", "input": "offset"}),
    ],
    ids=["ms", "speakeasy cursor", "speakeasy offset", "Link", "cursor", "next URL", "page", "offset"],
)
def test_pages_are_suggested(
    made: dict[str, Any], expected: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api.json").write_text(json.dumps(made))
    assert main(["import", "openapi", str(tmp_path / "api.json"), "-o", str(tmp_path / "seeds.yaml")]) == 0
    prefix = "note: list-seeds may have pages; check and add: x-pagination: "
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    suggested = yaml.safe_load(line.removeprefix(prefix))
    assert suggested == expected
    # The suggestion is nothing that the file has already, and it is valid there.
    capability = yaml.safe_load((tmp_path / "seeds.yaml").read_text())
    assert "x-pagination" not in json.dumps(capability)
    (resource,) = capability["capability"]["consumes"][0]["resources"]
    resource["operations"][0]["x-pagination"] = suggested
    assert Host(capability, settings=Settings(environment={})).warnings == ()


@pytest.mark.parametrize(
    "made",
    [
        document(ARRAY),
        document(envelope(first=ARRAY, second=ARRAY), "page"),
        document(envelope(id={"type": "string"}), "page"),
        document(ARRAY, "page", method="post"),
        document(envelope(value=ARRAY), keys={"x-ms-pageable": {"nextLinkName": None}}),
        document(envelope(value=ARRAY), keys={"x-speakeasy-pagination": {"type": "unknown"}}),
    ],
)
def test_other_operations_get_no_suggestion(
    made: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api.json").write_text(json.dumps(made))
    assert main(["import", "openapi", str(tmp_path / "api.json"), "-o", str(tmp_path / "seeds.yaml")]) == 0
    assert "note:" not in capsys.readouterr().err
