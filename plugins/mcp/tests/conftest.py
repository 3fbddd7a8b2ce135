"""A served shop, which most tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from adapter_host.testing import FakeConsumer, Running, running

SHOP: dict[str, Any] = {
    "naftiko": "1.0.0-alpha2",
    "info": {"label": "Shop", "version": "2.1.0"},
    "capability": {
        "consumes": [
            {
                "type": "fake",
                "namespace": "stock",
                "operations": [
                    {
                        "name": "get",
                        "description": "Reads an item",
                        "inputParameters": [
                            {"name": "id", "in": "path", "type": "integer", "required": True},
                            {"name": "note", "in": "query", "type": "string", "description": "Anything"},
                        ],
                    },
                    {"name": "list"},
                ],
            }
        ],
        "exposes": [
            {
                "type": "mcp",
                "namespace": "shop",
                "port": 9090,
                "description": "Sells things",
                "tools": [
                    {
                        "name": "get-item",
                        "label": "Get an item",
                        "description": "Reads one item",
                        "call": "stock.get",
                        "hints": {"readOnly": True, "openWorld": False},
                    },
                    {"name": "list-items", "description": "Lists items", "call": "stock.list"},
                ],
            }
        ],
    },
}


@dataclass
class Shop:
    """The served shop with its fake upstream."""

    url: str
    stock: FakeConsumer
    post: Callable[..., Awaitable[tuple[int, Any]]]
    session: aiohttp.ClientSession


@pytest.fixture
def shop_document() -> dict[str, Any]:
    return SHOP


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with running(SHOP) as served, aiohttp.ClientSession() as session:
        yield Shop(served.url("shop"), _stock(served), _poster(served.url("shop"), session), session)


def _stock(served: Running) -> FakeConsumer:
    return served.fake("stock")


def _poster(url: str, session: aiohttp.ClientSession) -> Callable[..., Awaitable[tuple[int, Any]]]:
    async def post(body: Any = None, *, data: bytes | None = None, **headers: str | None) -> tuple[int, Any]:
        """Send a message or raw `data`; headers with the value None are omitted."""
        defaults = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        merged = {name.replace("_", "-"): value for name, value in {**defaults, **headers}.items()}
        present = {name: value for name, value in merged.items() if value is not None}
        skip = [name for name, value in merged.items() if value is None]
        payload = {"data": data} if data is not None else {"json": body}
        async with session.post(url, headers=present, skip_auto_headers=skip, **payload) as response:
            text = await response.read()
            return response.status, await response.json() if text else None

    return post
