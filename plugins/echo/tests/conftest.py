"""A weather service, served line by line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapter_host.testing import FakeConsumer, Running, running

READ: dict[str, Any] = {"name": "read", "inputParameters": [{"name": "id", "type": "integer", "required": True}]}


@dataclass
class Line:
    """One connection to the served weather."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, *lines: str) -> list[Any]:
        """Send lines at once; gives the answers."""
        self.writer.write("".join(f"{line}\n" for line in lines).encode())
        return [json.loads(await self.reader.readline()) for _ in lines]


@dataclass
class Weather:
    """What is served, and the API behind it."""

    served: Running
    up: FakeConsumer

    async def connect(self) -> Line:
        url = urlsplit(self.served.url("lines"))
        return Line(*await asyncio.open_connection(url.hostname, url.port))


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [{"type": "fake", "namespace": "weather", "operations": [READ]}],
            "exposes": [
                {"type": "echo", "namespace": "lines", "port": 0, "operations": [{"call": "weather.read"}]},
            ],
        },
    }


@pytest.fixture
async def weather(document: dict[str, Any]) -> AsyncIterator[Weather]:
    async with running(document, drain_timeout=5) as served:
        yield Weather(served, served.fake("weather"))


@pytest.fixture
async def line(weather: Weather) -> AsyncIterator[Line]:
    opened = await weather.connect()
    yield opened
    opened.writer.close()
    await opened.writer.wait_closed()
