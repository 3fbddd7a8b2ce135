"""Cache hints in results, which only the stateless revision has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from mcp import Client
from mcp_types import CacheableResult
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, Plugins, Settings
from adapter_host.testing import FakePlugin, running

RESOURCE = {"name": "item", "label": "Item", "uri": "shop://items", "description": "Items", "call": "stock.list"}


def with_cache_settings(document: dict[str, Any], **keys: Any) -> dict[str, Any]:
    capability = document["capability"]
    (exposed,) = capability["exposes"]
    return {**document, "capability": {**capability, "exposes": [{**exposed, "resources": [RESOURCE], **keys}]}}


@asynccontextmanager
async def url_of(document: dict[str, Any]) -> AsyncIterator[str]:
    async with running(document) as served:
        yield served.url("shop")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, (0, "private")),
        ({"ttlMs": 300_000}, (300_000, "private")),
        ({"cacheScope": "public"}, (0, "public")),
        ({"ttlMs": 1, "cacheScope": "public"}, (1, "public")),
    ],
)
async def test_cache_hints_of_lists_and_resources(
    shop_document: dict[str, Any], keys: Any, expected: tuple[int, str]
) -> None:
    async with url_of(with_cache_settings(shop_document, **keys)) as url, Client(url, mode="auto") as client:
        results: list[CacheableResult] = [
            await client.list_tools(),
            await client.list_resources(),
            await client.list_resource_templates(),
            await client.read_resource("shop://items"),
        ]
    assert {(result.ttl_ms, result.cache_scope) for result in results} == {expected}


async def test_cache_hints_of_discover(shop_document: dict[str, Any]) -> None:
    version, discover = "2026-07-28", "server/discover"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": discover, "params": {"_meta": meta}}
    headers = {"Accept": "application/json", "MCP-Protocol-Version": version, "Mcp-Method": discover}
    async with (
        url_of(with_cache_settings(shop_document, ttlMs=7, cacheScope="public")) as url,
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json=message) as response,
    ):
        result = (await response.json())["result"]
    assert (result["ttlMs"], result["cacheScope"]) == (7, "public")


async def test_no_cache_hints_in_handshake_revisions(shop_document: dict[str, Any]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
    async with (
        url_of(with_cache_settings(shop_document, ttlMs=1, cacheScope="public")) as url,
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json=message) as response,
    ):
        assert (await response.json())["result"].keys() == {"tools"}


def test_warning_for_public_cache_with_authentication(
    shop_document: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    guarded = {"cacheScope": "public", "authentication": {"type": "bearer", "token": "{{env.KEY}}"}}
    document = {
        **with_cache_settings(shop_document, **guarded),
        "binds": [{"namespace": "env", "keys": {"KEY": "KEY"}}],
    }
    (warning,) = Host(document, plugins=plugins, settings=Settings(environment={"KEY": "k"})).warnings
    assert warning.code == "public-cache"
    assert warning.message == snapshot
