"""All attacks that one outsider has, at the same time: other callers are served, and the process stops in time."""

from __future__ import annotations

import asyncio
import gzip
import statistics
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import orjson

from tests.support.host_process import HostProcess, host_process
from tests.support.raw_http import CLOSE, Connection, connect, exchange, raw_upstream, response, status_of
from tests.support.slow_clients import document, endless_upstream, head, unread

CALLS: Final = 30
"""Number of calls of the other caller, before and during the attacks."""

FACTOR: Final = 2
"""The other caller's usual time may grow by this factor."""

FLOOR: Final = 0.5
"""Seconds that a call may take however fast it usually is: the attackers and the test share the processor with it."""

ATTACKED_CALLS: Final = 20.0
"""Seconds for all calls during the attacks; each of the attacks would stop the event loop for longer."""

DRAIN_TIMEOUT: Final = 1.0

STOP_MARGIN: Final = 8.0
"""Seconds in addition to the drain timeout, for a busy machine."""

PATTERN: Final = r"^([a-zA-Z0-9]+\.?)+@example\.com$"
"""A pattern of an e-mail address; an engine that backtracks needs minutes for 30 letters that do not match."""


def _source(slow: str, hostile: str, healthy: str) -> str:
    """Return a document whose exposer `rest` is attacked, while `other` has its own API."""
    source = document(slow)
    capability = source["capability"]
    for namespace, url in (("hostile", hostile), ("healthy", healthy)):
        resources = [{"path": "/", "operations": [{"name": "read", "method": "GET"}]}]
        capability["consumes"].append(
            {"type": "http", "namespace": namespace, "baseUri": url, "resources": resources, "x-timeout": {"total": 60}}
        )
    text = {"type": "string", "value": "{{q}}"}
    capability["exposes"][0]["resources"] += [
        {
            "path": "/bomb",
            "operations": [
                {
                    "method": "GET",
                    "call": "hostile.read",
                    "outputParameters": [{"type": "object", "properties": {"a": {"type": "number"}}}],
                }
            ],
        },
        {
            "path": "/mail",
            "operations": [
                {
                    "method": "GET",
                    "inputParameters": [{"name": "q", "in": "query", "type": "string", "pattern": PATTERN}],
                    "outputParameters": [text],
                }
            ],
        },
    ]
    other = [{"path": "/call", "operations": [{"method": "GET", "call": "healthy.read"}]}]
    capability["exposes"].append({"type": "rest", "namespace": "other", "port": 0, "resources": other})
    return orjson.dumps(source).decode()


def _request_bomb(mebibytes: int = 1000) -> bytes:
    """Return a request whose body is inflated to a thousand times its size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    # Between full flushes, equal blocks have equal bytes. The checksum, which does not match, comes after all of them.
    first, block = (compressor.compress(bytes(2**20)) + compressor.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    body = first + block * (mebibytes - 1) + compressor.flush()
    return head(b"POST /echo", b"Content-Encoding: gzip", b"Content-Length: %d" % len(body)) + body


def _response_bomb(mebibytes: int = 2) -> bytes:
    """Return a response of empty members of gzip, which some decoders read in quadratic time."""
    empty = gzip.compress(b"", mtime=0)
    body = empty * (mebibytes * 2**20 // len(empty)) + gzip.compress(b'{"a": 1}')
    return response(body, b"Content-Encoding: gzip")


@asynccontextmanager
async def _upstream(message: bytes) -> AsyncIterator[str]:
    async def serve(connection: Connection) -> None:
        while True:
            await connection.read_request()
            await connection.send(message)

    async with raw_upstream(serve) as upstream:
        yield upstream.url


async def _call_other(process: HostProcess) -> list[float]:
    """Return the seconds of each call of the other caller."""
    clock = asyncio.get_running_loop().time
    times = []
    for _ in range(CALLS):
        begin = clock()
        assert status_of(await exchange(process.port("other"), b"GET /call HTTP/1.1\r\n" + CLOSE + b"\r\n")) == 200
        times.append(clock() - begin)
    return times


@asynccontextmanager
async def _attack(process: HostProcess, events: asyncio.Queue[str], bomb: bytes) -> AsyncIterator[None]:
    """Begin all attacks, and keep them up until the block ends."""
    port = process.port("rest")
    async with AsyncExitStack() as stack:
        for _ in range(200):
            silent = await stack.enter_async_context(connect(port))
            await silent.send(b"GET /pi")
        for _ in range(100):
            await stack.enter_async_context(unread(port, b"/things/big"))
        assert await events.get() == "begun"
        for request in (
            bomb,
            b"GET /bomb HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /mail?q=%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"a" * 34),
        ):
            attacker = await stack.enter_async_context(connect(port))
            attacker.writer.write(request)
        yield


async def test_another_caller_is_served_during_all_attacks_and_the_process_stops(tmp_path: Path) -> None:
    bomb = _request_bomb()
    async with AsyncExitStack() as stack:
        slow, events = await stack.enter_async_context(endless_upstream())
        hostile = await stack.enter_async_context(_upstream(_response_bomb()))
        healthy = await stack.enter_async_context(_upstream(response(b'{"ok": true}')))
        source = _source(slow.url, hostile, healthy)
        process = await stack.enter_async_context(
            host_process(tmp_path, source, "--drain-timeout", str(DRAIN_TIMEOUT), "--header-timeout", "60")
        )
        usual = statistics.median(await _call_other(process))
        async with _attack(process, events, bomb):
            async with asyncio.timeout(ATTACKED_CALLS):
                attacked = statistics.median(await _call_other(process))
            assert attacked <= max(FLOOR, FACTOR * usual)
            assert await process.terminate(DRAIN_TIMEOUT + STOP_MARGIN) == 0
