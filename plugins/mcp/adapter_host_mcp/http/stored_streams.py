"""Detached streams in the state store, which their clients can resume at any replica."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from adapter_host import Sealer, StoreUnavailableError

from .sse import COMMENT, KEEP_ALIVE_INTERVAL, STREAM_LIFETIME, EventQueue

if TYPE_CHECKING:
    from adapter_host_mcp.replicas.link import ReplicaLink

RESUME_TIMEOUT: Final = 300.0
"""Seconds for which a detached stream waits for its client."""

MAX_STORED: Final = 100
"""Maximum number of detached streams that an exposer writes at a time."""

MAX_STREAM_SIZE: Final = 10 * 1024 * 1024
"""Maximum bytes of one stream; beyond it the stream is closed."""

_CHUNK: Final = 512 * 1024
_ALIVE_FOR: Final = 3 * KEEP_ALIVE_INTERVAL
_RETRY_AFTER: Final = 1.0
_STOP_TIMEOUT: Final = 1.0

# The first byte of each stored chunk.
_MORE, _LAST, _END = b"+", b".", b"!"

_log = logging.getLogger("adapter_host.mcp")


class StoredStreams:
    """Writes the events of detached streams to the store, sealed, and reads those of all replicas."""

    def __init__(self, replicas: ReplicaLink, sealer: Sealer) -> None:
        self._replicas = replicas
        self._sealer = sealer
        self._store = replicas.store
        self._writers: set[asyncio.Task[None]] = set()
        self._readers: dict[str, asyncio.Event] = {}
        replicas.on("event", self._receive)

    def __len__(self) -> int:
        return len(self._writers)

    async def open(self, session: str, token: str) -> EventQueue | None:
        """Return the queue of a new stream; None if the store is unavailable, or there are too many streams."""
        name = self._name(session, token)
        if len(self._writers) >= MAX_STORED:
            return None
        try:
            await self._store.set(f"{name}:alive", 1, _ALIVE_FOR)
            await self._store.set(name, b"open", RESUME_TIMEOUT)
        except StoreUnavailableError:
            return None
        queue = EventQueue()
        writer = asyncio.create_task(self._write(name, queue))
        self._writers.add(writer)
        writer.add_done_callback(self._writers.discard)
        return queue

    async def stop(self) -> None:
        """Wait a second for the last events of streams that are closed, and cancel all others."""
        if self._writers:
            _, late = await asyncio.wait(self._writers, timeout=_STOP_TIMEOUT)
            for writer in late:
                writer.cancel()

    async def _write(self, name: str, queue: EventQueue) -> None:
        try:
            await self._write_events(name, queue)
        except StoreUnavailableError:
            _log.warning("detached stream is lost: the state store is unavailable")

    async def _write_events(self, name: str, queue: EventQueue) -> None:
        number = size = 0
        async for event in queue:
            if event is COMMENT:
                # The reader learns by this that the call continues.
                with suppress(StoreUnavailableError):
                    await self._store.set(f"{name}:alive", 1, _ALIVE_FOR)
                continue
            size += len(event)
            if size > MAX_STREAM_SIZE:
                _log.warning("detached stream is closed: it has more than %d bytes", MAX_STREAM_SIZE)
                break
            for start in range(0, len(event), _CHUNK):
                chunk = event[start : start + _CHUNK]
                flag = _MORE if start + _CHUNK < len(event) else _LAST
                await self._keep(f"{name}:{number}", flag + chunk)
                number += 1
            self._notify(name)
        await self._keep(f"{name}:{number}", _END)
        self._notify(name)

    async def _keep(self, key: str, value: bytes) -> None:
        """Seal and set a value, as soon as the store is available."""
        sealed = self._sealer.seal(value, key)
        deadline = asyncio.get_running_loop().time() + RESUME_TIMEOUT
        while True:
            try:
                await self._store.set(key, sealed, RESUME_TIMEOUT)
            except StoreUnavailableError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_RETRY_AFTER)
            else:
                return

    def _name(self, session: str, token: str) -> str:
        return f"stream:{self._replicas.scope}:{session}:{token}"

    def _notify(self, name: str) -> None:
        self._replicas.send_soon("event", stream=name)
        self._wake(name)

    async def _receive(self, content: Mapping[str, Any]) -> None:
        self._wake(content["stream"])

    def _wake(self, name: str) -> None:
        if name in self._readers:
            self._readers[name].set()

    async def claim(self, session: str, token: str) -> AsyncIterator[bytes] | None:
        """Return the events of a stream; None if there is none, or another request has claimed it.

        Raise `StoreUnavailableError`.
        """
        name = self._name(session, token)
        claimed = await self._store.compare_and_set(name, b"open", b"claimed", RESUME_TIMEOUT)
        return self._read(name) if claimed else None

    async def _read(self, name: str) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        end = clock() + STREAM_LIFETIME
        self._readers[name] = written = asyncio.Event()
        event, number = b"", 0
        try:
            while clock() < end:
                written.clear()
                chunk = await self._chunk(f"{name}:{number}")
                if chunk is None:
                    if not await _is_set(written):
                        if not await self._is_alive(name):
                            return
                        yield COMMENT
                    continue
                if chunk == _END:
                    return
                number += 1
                event += chunk[1:]
                if chunk[:1] == _LAST:
                    yield event
                    event = b""
        finally:
            del self._readers[name]

    async def _chunk(self, key: str) -> bytes | None:
        try:
            chunk = await self._store.get(key)
        except StoreUnavailableError:
            await asyncio.sleep(_RETRY_AFTER)
            return None
        if chunk is None:
            return None
        with suppress(StoreUnavailableError):
            await self._store.delete(key)
        # Others can write to the store, too: a stream ends where it is not that of a replica.
        return self._sealer.unseal(chunk, key) or _END

    async def _is_alive(self, name: str) -> bool:
        try:
            return await self._store.get(f"{name}:alive") is not None
        except StoreUnavailableError:
            return True


async def _is_set(event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(KEEP_ALIVE_INTERVAL):
            return await event.wait()
    except TimeoutError:
        return False
