"""Where responses are kept: in the state store, sealed, or in the memory of this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from secrets import token_hex
from typing import Any, Final

from adapter_host import (
    BuildContext,
    MemoryStateStore,
    Sealer,
    StateStore,
    StoreUnavailableError,
    decode_json,
    encode_json,
)
from adapter_host_http.cache_policy import KEPT_FOR

from .entry import Entry

MAX_ENTRIES: Final = 20_000
"""The entries in the memory of a process: each URL has one, and each of its responses."""

MAX_BYTES: Final = 64 * 1024 * 1024

MAX_MISSED: Final = 1000
"""The URLs that a replica remembers for the time when the store is available again."""

MAX_VARY: Final = 16
"""The request headers on which the responses of a URL may depend."""

REVALIDATION_LEASE: Final = 10.0
"""Seconds after which another replica revalidates a response, if the one that does has died."""

_VERSION: Final = 1
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class UrlRecord:
    """The record of a URL. The keys of its responses depend on the `generation`, so another one drops them.

    `vary` are the request headers on which they depend, in lower case; `per_caller` means that each caller has its own.
    `changed` is set if an unsafe request has made the record. `value` is its value in the store.
    """

    generation: str = ""
    vary: tuple[str, ...] = ()
    per_caller: bool = False
    changed: bool = False
    expires_at: float = 0.0
    value: bytes | None = field(default=None, repr=False, compare=False)

    def permits(self, current: UrlRecord) -> bool:
        """Return whether a response to a request that was sent with this record can be kept under the current one."""
        return current.generation == self.generation or (not self.generation and not current.changed)

    def extended(self, vary: Iterable[str], *, per_caller: bool) -> UrlRecord:
        """Return a record that also fits another response."""
        names = tuple(sorted({*self.vary, *vary}))
        generation = self.generation or token_hex(8)
        return replace(self, generation=generation, vary=names, per_caller=self.per_caller or per_caller)


class WrittenEntries:
    """The responses that this process has written to a store of others, which it bounds like its own memory."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def add(self, key: str, size: int) -> Sequence[str]:
        """Note that a response is written; return the keys of the oldest ones, which are to be dropped."""
        self.remove(key)
        dropped = []
        while self._sizes and (len(self._sizes) >= self._max_entries or self._bytes + size > self._max_bytes):
            dropped.append(next(iter(self._sizes)))
            self.remove(dropped[-1])
        self._sizes[key] = size
        self._bytes += size
        return dropped

    def remove(self, key: str) -> None:
        """Note that a response is dropped."""
        self._bytes -= self._sizes.pop(key, 0)


class CacheStorage:
    """The responses of one consumer; the methods raise `StoreUnavailableError`.

    `clock` is the time that replicas share, `in_flight` the longest time of a request in seconds. `written` bounds what
    is written to a store that has no bounds for it.
    """

    def __init__(
        self,
        store: StateStore,
        sealer: Sealer | None,
        site: Any,
        in_flight: float,
        clock: Callable[[], float],
        written: WrittenEntries | None = None,
    ) -> None:
        self.clock = clock
        self._written_entries = written
        self._store = store
        self._sealer = sealer
        self._in_flight = in_flight
        self._site = self._digest([_VERSION, site])
        self._missed: set[str] = set()
        self._suspended_until = 0.0

    def key(self, *parts: Any) -> str:
        """Return a key of the store; nobody without the key of the deployment can test guesses of its parts."""
        return f"cache:{self._digest([self._site, *parts])}"

    async def read_url(self, url: str) -> UrlRecord:
        """Return the record of a URL, an empty one if there is none."""
        if self.clock() < self._suspended_until:
            raise StoreUnavailableError("too many changed URLs are not in the store")
        for missed in tuple(self._missed):
            await self._write_changed(missed)
        return await self._read_url(self.key(url))

    async def read_entry(self, key: str) -> Entry | None:
        """Return the response with a key."""
        value = self._opened(key, await self._store.get(key))
        return None if value is None else Entry.read(value)

    async def extend_url(
        self, url: str, sent_with: UrlRecord, vary: Iterable[str], *, per_caller: bool
    ) -> UrlRecord | None:
        """Return the record under which a response can be kept, and write it; None if the URL has changed meanwhile."""
        key, current = self.key(url), sent_with
        names = frozenset(vary)
        for _ in range(_ATTEMPTS):
            extended = current.extended(names, per_caller=per_caller)
            if len(extended.vary) > MAX_VARY:
                return None
            if extended == current and self.clock() < current.expires_at - KEPT_FOR:
                return current
            # It outlives every response that is kept under it for a day.
            extended = replace(extended, expires_at=self.clock() + 2 * KEPT_FOR)
            if await self._store.compare_and_set(key, current.value, self._written(key, extended), 2 * KEPT_FOR):
                return extended
            current = await self._read_url(key)
            if not sent_with.permits(current):
                return None
        return None

    async def write_entry(self, key: str, entry: Entry, kept_for: float) -> None:
        """Keep a response."""
        value = entry.written()
        sealed = value if self._sealer is None else self._sealer.seal(value, key)
        if self._written_entries is not None:
            for dropped in self._written_entries.add(key, len(sealed)):
                await self._store.delete(dropped)
        await self._store.set(key, sealed, kept_for)

    def hold_revalidation(self, key: str) -> AbstractAsyncContextManager[bool]:
        """Return a block in which no replica revalidates the response; its value is False if another one does."""
        return self._store.hold_lease(f"{key}:revalidation", REVALIDATION_LEASE)

    async def delete_entry(self, key: str) -> None:
        """Drop a response."""
        if self._written_entries is not None:
            self._written_entries.remove(key)
        await self._store.delete(key)

    async def invalidate(self, url: str) -> None:
        """Drop all responses of a URL, also those in flight; if the store is unavailable, as soon as it is."""
        key = self.key(url)
        try:
            await self._write_changed(key)
        except StoreUnavailableError:
            if len(self._missed) < MAX_MISSED:
                self._missed.add(key)
            else:
                self._suspended_until = self.clock() + KEPT_FOR
            raise

    async def _write_changed(self, key: str) -> None:
        record = UrlRecord(token_hex(8), changed=True)
        await self._store.set(key, self._written(key, record), self._in_flight)
        self._missed.discard(key)

    async def _read_url(self, key: str) -> UrlRecord:
        value = await self._store.get(key)
        opened = self._opened(key, value)
        if opened is None:
            return UrlRecord(value=value)
        content: dict[str, Any] = decode_json(opened)
        return UrlRecord(**{**content, "vary": tuple(content["vary"])}, value=value)

    def _written(self, key: str, record: UrlRecord) -> bytes:
        content = {
            "generation": record.generation,
            "vary": record.vary,
            "per_caller": record.per_caller,
            "changed": record.changed,
            "expires_at": record.expires_at,
        }
        value = encode_json(content)
        return value if self._sealer is None else self._sealer.seal(value, key)

    def _opened(self, key: str, value: bytes | None) -> bytes | None:
        return value if value is None or self._sealer is None else self._sealer.unseal(value, key)

    def _digest(self, parts: Any) -> str:
        value = encode_json(parts)
        return (sha256(value).digest() if self._sealer is None else self._sealer.sign(value)).hex()


def open_storage(context: BuildContext, site: Any) -> CacheStorage:
    """Return the storage of a consumer: the state store if replicas share it and have a key to seal with."""
    in_flight = context.settings.total_timeout + 60.0
    sealer = context.sealer("http.cache")
    if context.state.is_shared and sealer is not None:
        written = context.shared_state("adapter_host_http.cache_written", WrittenEntries)
        return CacheStorage(context.state.namespaced("http"), sealer, site, in_flight, time.time, written)
    # Not the store of the host, whose other entries responses would displace.
    store = context.shared_state(
        "adapter_host_http.cache", lambda: MemoryStateStore(max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES)
    )
    return CacheStorage(store, None, site, in_flight, time.time)
