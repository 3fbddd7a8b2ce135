"""Tests of log levels and of the log stream."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.testing import running

from .conftest import control, document, rest

LOG = logging.getLogger("adapter_host.test")
LOGS = control(management={"logs": {"stream": True, "max-subscribers": 1}})
MADE = document("http://127.0.0.1:9", LOGS)


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("adapter_host")
    before = root.level, own.level, LOG.level
    own.setLevel(logging.INFO)
    yield
    for logger, level in zip((root, own, LOG), before, strict=True):
        logger.setLevel(level)


class Events:
    """The events of a stream."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def next(self) -> tuple[str, Any]:
        """Return the name and data of the next event; skip comments."""
        while True:
            lines = (await self._content.readuntil(b"\n\n")).decode().splitlines()
            if lines[0].startswith("event: "):
                return lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))


@asynccontextmanager
async def subscribe(
    session: aiohttp.ClientSession, url: str, query: str = "", *, while_full: Callable[[], None] | None = None
) -> AsyncIterator[Events]:
    """Read the stream; with `while_full`, call it and retry until there is a free place."""
    while True:
        async with session.get(f"{url}/logs/stream{query}") as response:
            if response.status == 503 and while_full:
                while_full()
                continue
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            await response.content.readuntil(b"\n\n")
            yield Events(response.content)
            return


async def request_json(session: aiohttp.ClientSession, method: str, url: str, **arguments: Any) -> tuple[int, Any]:
    async with session.request(method, url, **arguments) as response:
        return response.status, await response.json(content_type=None)


async def test_log_levels(session: aiohttp.ClientSession) -> None:
    async with running(MADE) as served:
        url = f"{served.url('control')}/logs"
        _, body = await request_json(session, "GET", url)
        known = {each["name"]: each for each in body["loggers"]}
        assert body["loggers"][0]["name"] == "root"
        assert known["adapter_host"] == {"name": "adapter_host", "level": "info", "effectiveLevel": "info"}
        own = {"name": "adapter_host.test", "level": None, "effectiveLevel": "info"}
        assert known["adapter_host.test"] == own
        changed = {**own, "level": "debug", "effectiveLevel": "debug"}
        assert await request_json(session, "PUT", f"{url}/adapter_host.test", json={"level": "DEBUG"}) == (200, changed)
        assert await request_json(session, "GET", f"{url}/adapter_host.test") == (200, changed)
        assert LOG.isEnabledFor(logging.DEBUG)
        assert await request_json(session, "PUT", f"{url}/adapter_host.test", json={"level": None}) == (200, own)


@pytest.mark.parametrize(
    ("logger", "arguments", "status"),
    [
        pytest.param("nobody", {"json": {"level": "debug"}}, 404, id="unknown-logger"),
        pytest.param("root", {"json": {"level": "loud"}}, 400, id="unknown-level"),
        pytest.param("root", {"json": {"level": "info", "more": 1}}, 400, id="unknown-key"),
        pytest.param("root", {"json": {}}, 400, id="missing-level"),
        pytest.param("root", {"json": {"level": None}}, 400, id="root-without-level"),
        pytest.param("root", {"json": []}, 400, id="list"),
        pytest.param("root", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, id="invalid-json"),
        pytest.param("root", {"data": b"{}"}, 415, id="no-content-type"),
    ],
)
async def test_invalid_log_level_changes(
    session: aiohttp.ClientSession, logger: str, arguments: dict[str, Any], status: int, snapshot: SnapshotAssertion
) -> None:
    async with running(MADE) as served:
        before = logging.getLogger().level
        response_status, body = await request_json(
            session, "PUT", f"{served.url('control')}/logs/{logger}", **arguments
        )
        assert response_status == status
        assert body["detail"] == snapshot
        assert logging.getLogger().level == before


async def test_log_stream(session: aiohttp.ClientSession) -> None:
    before = list(logging.getLogger().handlers)
    async with running(MADE) as served, subscribe(session, served.url("control")) as events:
        LOG.warning("one %s", "thing")
        name, line = await events.next()
        assert (name, line["level"], line["logger"], line["message"]) == (
            "log",
            "warning",
            "adapter_host.test",
            "one thing",
        )
        await asyncio.to_thread(LOG.info, "from a thread")
        assert (await events.next())[1]["message"] == "from a thread"
        try:
            raise ValueError("of nobody's business")
        except ValueError:
            LOG.exception("it failed")
        _, line = await events.next()
        assert (line["message"], line["exception"]) == ("it failed", "ValueError")
        assert "nobody" not in str(line)
        assert len(logging.getLogger().handlers) == len(before) + 1
    assert logging.getLogger().handlers == before


async def test_log_stream_level(session: aiohttp.ClientSession) -> None:
    async with running(MADE) as served:
        async with subscribe(session, served.url("control"), "?level=error") as events:
            LOG.warning("less")
            LOG.error("more")
            assert (await events.next())[1]["message"] == "more"
        assert (await request_json(session, "GET", f"{served.url('control')}/logs/stream?level=loud"))[0] == 400


async def test_log_stream_contains_no_secret(session: aiohttp.ClientSession) -> None:
    token = {"type": "bearer", "token": "{{env.TOKEN}}"}
    capability = document("http://127.0.0.1:9", LOGS, rest(authentication=token))
    capability["binds"] = [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}]
    secrets = {"TOKEN": "s3cr3t-of-the-shop"}
    async with running(capability, environment=secrets) as served, subscribe(session, served.url("control")) as events:
        LOG.warning("got s3cr3t-of-the-shop for https://me:pw@api.example.com/x?api_key=k3y&page=1")
        _, line = await events.next()
    assert line["message"] == "got {{env.TOKEN}} for https://***@api.example.com/x?api_key=***&page=1"


async def test_max_subscribers(session: aiohttp.ClientSession, snapshot: SnapshotAssertion) -> None:
    async with running(MADE) as served:
        url = served.url("control")
        async with subscribe(session, url) as events:
            status, body = await request_json(session, "GET", f"{url}/logs/stream")
            assert status == 503
            assert body["detail"] == snapshot
            LOG.warning("still")
            assert (await events.next())[1]["message"] == "still"
        async with subscribe(session, url, while_full=lambda: None) as events:
            LOG.warning("again")
            assert (await events.next())[1]["message"] == "again"


async def test_slow_subscriber_is_dropped(session: aiohttp.ClientSession) -> None:
    async with running(MADE) as served:
        url = served.url("control")
        place = urlsplit(url)
        loop = asyncio.get_running_loop()
        with socket.create_connection((place.hostname, place.port)) as slow:
            slow.setblocking(False)
            await loop.sock_sendall(slow, f"GET /logs/stream HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
            received = await loop.sock_recv(slow, 1000)
            # It stops reading, so its place is free once too many bytes are pending.
            async with subscribe(session, url, while_full=lambda: LOG.warning("x" * 100_000)) as events:
                LOG.warning("for the other")
                assert (await events.next())[1]["message"] == "for the other"
            # It still receives the pending events and the reason.
            while b"event: end" not in received:
                received = received[-100:] + await loop.sock_recv(slow, 1_000_000)
            assert b'event: end\ndata: {"reason":"dropped: subscriber too slow"}' in received


async def test_drain_ends_log_streams(session: aiohttp.ClientSession) -> None:
    async with running(MADE) as served, subscribe(session, served.url("control")) as events:
        drain = asyncio.create_task(served.host.drain())
        name, end = await events.next()
        assert (name, end["reason"]) == ("end", "ended: reload or shutdown")
        await drain


async def test_reload_ends_log_streams(session: aiohttp.ClientSession) -> None:
    async with running(MADE) as served:
        async with subscribe(session, served.url("control")) as events:
            await served.host.reload()
            while (event := await events.next())[0] == "log":
                pass
            assert event == ("end", {"reason": "ended: reload or shutdown"})
        async with subscribe(session, served.url("control")) as events:
            LOG.warning("as before")
            assert (await events.next())[1]["message"] == "as before"


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("a", "a cat says pass"), ("pas", "a cat says pass"), ("pass", "a cat says {{env.TOKEN}}")],
)
async def test_secrets_of_fewer_than_four_characters_are_not_masked(
    session: aiohttp.ClientSession, secret: str, shown: str
) -> None:
    """Short values occur in many words, so masking them would make the log unreadable."""
    made = document("http://127.0.0.1:9", LOGS, rest(authentication={"type": "bearer", "token": "{{env.TOKEN}}"}))
    made["binds"] = [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}]
    secrets = {"TOKEN": secret}
    async with running(made, environment=secrets) as served, subscribe(session, served.url("control")) as events:
        LOG.warning("a cat says pass")
        _, line = await events.next()
    assert line["message"] == shown


async def test_undecodable_text_is_streamed(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest would report the text to the process that has started this one, which cannot encode it.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    async with running(MADE) as served, subscribe(session, served.url("control")) as events:
        LOG.warning("rejected %s", "\udcff\x1b")
        name, data = await events.next()
        assert (name, data["message"]) == ("log", "rejected \\udcff\x1b")
