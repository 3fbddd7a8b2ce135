"""The server card (SEP-2127), the catalog and `export server-json`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from jsonschema import Draft7Validator
from mcp import Client

from adapter_host import Host, Plugins, ProblemsError
from adapter_host.testing import running

CARD: dict[str, Any] = {
    "name": "org.example.tea/tearoom",
    "description": "Serves tea",
    "websiteUrl": "https://tea.example.org",
    "repository": {"url": "https://git.example.org/tea", "source": "git"},
}
SCHEMA = Path(os.environ.get("REGISTRY", "none")) / "internal/validators/schemas/2025-12-11.json"
PUBLIC = "https://tea.example.org/mcp"
CATALOG_PATH = "/.well-known/ai-catalog.json"


def document(card: dict[str, Any] | None = CARD, **keys: Any) -> dict[str, Any]:
    tool = {"name": "brew", "description": "Brews", "outputParameters": [{"type": "string", "value": "tea"}]}
    cards = {} if card is None else {"x-server-card": card}
    exposed = {"type": "mcp", "namespace": "tea", "port": 0, "tools": [tool], **cards, **keys}
    info = {"label": "Tea room", "version": "1.2.0"}
    return {"naftiko": "1.0.0-alpha2", "info": info, "capability": {"exposes": [exposed]}}


async def get(url: str) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        body = await response.json(content_type=None) if response.status == 200 else None
        return response.status, body, response.headers


async def test_card_describes_the_running_server() -> None:
    async with running(document()) as served:
        url = served.url("tea")
        status, card, headers = await get(f"{url}/server-card")
        assert (await get(url.removesuffix("/mcp") + CATALOG_PATH))[0] == 404
        async with Client(url, mode="auto") as client:
            info = client.server_info
    assert status == 200
    assert headers["Content-Type"] == "application/mcp-server-card+json"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cache-Control"] == "public, max-age=3600"
    versions = card["remotes"][0].pop("supportedProtocolVersions")
    assert (versions[0], versions[-1]) == ("2024-11-05", "2026-07-28")
    assert card == {
        "$schema": "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json",
        "title": "Tea room",
        "version": "1.2.0",
        **CARD,
        "remotes": [{"type": "streamable-http", "url": url}],
    }
    assert info is not None
    assert (info.title, info.version) == (card["title"], card["version"])


async def test_no_card_by_default() -> None:
    async with running(document(None)) as served:
        assert (await get(f"{served.url('tea')}/server-card"))[0] == 404
        assert (await get(served.url("tea").removesuffix("/mcp") + CATALOG_PATH))[0] == 404


async def test_catalog_refers_to_the_card() -> None:
    public = {"": "https://tea.example.org"}
    async with running(document({**CARD, "catalog": True}), public_urls=public) as served:
        status, catalog, headers = await get(served.url("tea").removesuffix("/mcp") + CATALOG_PATH)
    assert status == 200
    assert headers["Content-Type"] == "application/ai-catalog+json"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert catalog == {
        "specVersion": "0.9",
        "entries": [
            {
                "identifier": "urn:air:tea.example.org:tearoom",
                "displayName": "Tea room",
                "type": "application/mcp-server-card+json",
                "url": f"{PUBLIC}/server-card",
            }
        ],
    }


@pytest.mark.parametrize(
    ("authentication", "header"),
    [
        ({"type": "bearer", "token": "hush"}, "Authorization"),
        ({"type": "basic", "username": "ada", "password": "hush"}, "Authorization"),
        ({"type": "apikey", "key": "X-Key", "value": "hush", "placement": "header"}, "X-Key"),
    ],
)
async def test_card_is_public_and_holds_no_secret(authentication: dict[str, str], header: str) -> None:
    source = document({**CARD, "catalog": True, "url": PUBLIC}, authentication=authentication)
    async with running(source) as served:
        url = served.url("tea")
        _, card, _ = await get(f"{url}/server-card")
        assert (await get(url.removesuffix("/mcp") + CATALOG_PATH))[0] == 200
        assert (await get(url))[0] == 401
    (remote,) = card["remotes"]
    assert remote["url"] == PUBLIC
    (sent,) = remote["headers"]
    assert (sent["name"], sent["isRequired"], sent["isSecret"]) == (header, True, True)
    assert "hush" not in json.dumps(card)


async def export(file: Path) -> tuple[int | None, str, str]:
    """Run the command; return its exit code, its output and its errors."""
    command = [sys.executable, "-m", "adapter_host", "export", "server-json", str(file)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_export_of_the_server_json(tmp_path: Path) -> None:
    file = tmp_path / "tea.yaml"
    file.write_text(yaml.safe_dump(document({**CARD, "url": PUBLIC})))
    code, output, _ = await export(file)
    assert code == 0
    assert json.loads(output) == {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "title": "Tea room",
        "version": "1.2.0",
        **CARD,
        "remotes": [{"type": "streamable-http", "url": PUBLIC}],
    }


@pytest.mark.skipif(not SCHEMA.is_file(), reason="needs the registry's Go module: make registry-check")
@pytest.mark.parametrize(
    ("label", "keys"),
    [
        ("Tea room", {}),
        ("x" * 300, {"authentication": {"type": "bearer", "token": "hush"}}),
        ("Tea", {"authentication": {"type": "apikey", "key": "X-Key", "value": "hush", "placement": "header"}}),
        (None, {"authentication": {"type": "basic", "username": "ada", "password": "hush"}}),
    ],
)
def test_the_server_json_is_one_of_the_registry(label: str | None, keys: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())
    described = document({**CARD, "url": PUBLIC}, **keys)
    described["info"] = {} if label is None else {"label": label}
    exposer = Host(described, plugins=Plugins.installed()).status()[0].exposer
    exported = json.loads(exposer.exports()["server-json"]())
    validator = Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)
    assert exported["$schema"] == schema["$id"]
    assert [error.message for error in validator.iter_errors(exported)] == []
    # The schema says something about each part of it.
    for wrong in (
        {"name": "tea"},
        {"title": ""},
        {"version": 1},
        {"remotes": [{"type": "streamable-http", "url": "x"}]},
    ):
        assert not validator.is_valid({**exported, **wrong})


@pytest.mark.parametrize("version", ["^1.2", "1.x", ">=1 <2", "1.0 - 2.0", "1" * 256])
def test_a_range_of_versions_is_a_problem(version: str) -> None:
    described = document()
    described["info"]["version"] = version
    with pytest.raises(ProblemsError, match="needs one version"):
        Host(described, plugins=Plugins.installed())


@pytest.mark.parametrize(
    ("card", "expected"),
    [(CARD, "'x-server-card' has no 'url'"), (None, "has no exposer with the format 'server-json'")],
)
async def test_export_needs_a_card_with_a_url(tmp_path: Path, card: Any, expected: str) -> None:
    file = tmp_path / "tea.yaml"
    file.write_text(yaml.safe_dump(document(card)))
    code, _, errors = await export(file)
    assert code != 0
    assert expected in errors


@pytest.mark.parametrize(
    ("card", "keys", "expected"),
    [
        ({**CARD, "name": "tearoom"}, {}, "name"),
        ({**CARD, "name": "org.example/tea/room"}, {}, "name"),
        ({**CARD, "description": "x" * 101}, {}, "description"),
        ({**CARD, "url": "tea.example.org"}, {}, "url"),
        (CARD, {"transport": "stdio"}, "there is none with 'transport: stdio'"),
    ],
)
def test_invalid_cards(card: dict[str, Any], keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ProblemsError, match=expected):
        Host(document(card, **keys), plugins=Plugins.installed())
