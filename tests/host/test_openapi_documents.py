"""OpenAPI documents in the place of capabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from adapter_host import Host, ProblemsError, Settings
from adapter_host.cli import main
from adapter_host.testing import running
from tests.support.upstream import send, serving_api

PARCELS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Parcels", "version": "1.2"},
    "servers": [{"url": "https://parcels.example.com/v1"}],
    "paths": {
        "/parcels": {
            "get": {
                "operationId": "listParcels",
                "tags": ["reading"],
                "parameters": [{"name": "state", "in": "query", "schema": {"type": "string"}}],
                "responses": {
                    "200": {"description": "ok", "content": {"application/json": {"example": [{"id": "7"}]}}}
                },
            },
            "post": {
                "operationId": "sendParcel",
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {"201": {"description": "sent"}},
            },
        }
    },
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parcels.yaml"
    path.write_text(yaml.safe_dump(PARCELS))
    return path


async def test_all_operations_are_served_as_routes_and_tools(file: Path) -> None:
    async with serving_api() as api:
        ports = {"parcels-rest": 0, "parcels-mcp": 0}
        async with (
            running(file, base_uris={"parcels": f"{api.url}/v2"}, ports=ports) as served,
            aiohttp.ClientSession() as session,
        ):
            response = await send(session, "GET", served.url("parcels-rest") + "/parcels?state=sent")
            assert (response.status, response.data) == (200, {"ok": True})
            response = await send(session, "POST", served.url("parcels-rest") + "/parcels", json={"to": "x"})
            assert response.status == 200
        assert [(seen.method, seen.target) for seen in api.seen] == [
            ("GET", "/v2/parcels?state=sent"),
            ("POST", "/v2/parcels"),
        ]


def tools(host: Host) -> list[str]:
    (exposer,) = (status.exposer for status in host.status() if status.type == "mcp")
    return list(exposer.config.operation_names())


def test_only_selects_tags_and_operation_ids(file: Path) -> None:
    assert tools(Host(file)) == ["list-parcels", "send-parcel"]
    assert tools(Host(file, settings=Settings(only=("reading",)))) == ["list-parcels"]
    assert tools(Host(file, settings=Settings(only=("sendParcel",)))) == ["send-parcel"]


def test_what_cannot_be_expressed_is_a_warning_at_its_place(file: Path) -> None:
    file.write_text(yaml.safe_dump({**PARCELS, "webhooks": {"sent": {"post": {}}}}))
    warning = next(each for each in Host(file).warnings if each.code == "openapi")
    assert (warning.file, warning.warning, warning.line > 1) == (str(file), True, True)
    assert "webhooks" in str(warning)


def test_broken_documents_are_problems(file: Path) -> None:
    file.write_text(yaml.safe_dump({"openapi": "3.1.0", "info": {}, "paths": {}}))
    with pytest.raises(ProblemsError, match="no supported operation"):
        Host(file)


def test_a_folder_has_only_its_capabilities(file: Path) -> None:
    with pytest.raises(ProblemsError, match="no capability in this folder"):
        Host(file.parent)


@pytest.mark.parametrize("command", [["validate"], ["inspect"], ["call"]])
def test_commands_read_them(file: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    operation = ["list-parcels", "--mock"] if command == ["call"] else []
    assert main([*command, str(file), *operation, "--only", "reading"]) == 0
    expected = {"validate": "2 operations", "inspect": "list-parcels", "call": '"id"'}[command[0]]
    assert expected in capsys.readouterr().out


def test_only_without_an_openapi_document_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "capabilities/greeting.yaml"
    assert main(["validate", str(path), "--only", "reading"]) == 2
    assert "no OpenAPI document" in capsys.readouterr().err
