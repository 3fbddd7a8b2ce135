"""The state store in the memory of one process."""

from __future__ import annotations

import asyncio
import heapq
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import floor
from typing import Final

from adapter_host.errors import StoreUnavailableError

from .store import (
    MAX_PENDING_MESSAGES,
    RateDecision,
    StateStore,
    Value,
    checked_leases,
    checked_rate,
    checked_sum,
    checked_time,
    key_bytes,
    value_bytes,
)

_INTEGER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_ENTRY_BYTES: Final = 200
"""The size of an entry without its key and value, about."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_at: float | None


class _Subscription:
    """The messages that a reader has not read yet; None is the end."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._reason = ""

    def add(self, message: bytes) -> None:
        if self._reason:
            return
        if self._queue.qsize() >= MAX_PENDING_MESSAGES:
            self.end(f"the subscription is {MAX_PENDING_MESSAGES} messages behind; subscribe again")
        else:
            self._queue.put_nowait(message)

    def end(self, reason: str) -> None:
        self._reason = reason
        self._queue.put_nowait(None)

    async def messages(self) -> AsyncIterator[bytes]:
        while (message := await self._queue.get()) is not None:
            yield message
        raise StoreUnavailableError(self._reason)


class MemoryStateStore(StateStore):
    """State in the memory of this process (`memory:`), which no other process shares, and which ends with it.

    It holds at most `max_entries` and about `max_bytes`. When it is full, it drops the entries that expire next; if
    none expires, it raises `StoreUnavailableError`. `clock` returns the time in seconds.
    """

    is_shared = False

    def __init__(
        self,
        url: str = "memory:",
        environment: Mapping[str, str] = {},
        *,
        max_entries: int = 100_000,
        max_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, environment)
        if url != "memory:":
            raise ValueError("the URL of the store in memory has no parts; use 'memory:'")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._bytes = 0
        self._expiries: list[tuple[float, bytes]] = []
        self._last_token = 0
        self._subscriptions: dict[bytes, list[_Subscription]] = {}

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, None if there is none or it has expired."""
        return self._read(b"value:" + key_bytes(key))

    async def set(self, key: str, value: Value, expires_in: float | None = None) -> None:
        """Set the value of a key, and its expiry."""
        self._write(b"value:" + key_bytes(key), value_bytes(value), self._expiry(expires_in))

    async def compare_and_set(
        self, key: str, expected: Value | None, value: Value | None, expires_in: float | None = None
    ) -> bool:
        """Set a value only if the current one is as expected."""
        encoded, expiry = b"value:" + key_bytes(key), self._expiry(expires_in)
        new = None if value is None else value_bytes(value)
        if self._read(encoded) != (None if expected is None else value_bytes(expected)):
            return False
        if new is None:
            self._remove(encoded)
        else:
            self._write(encoded, new, expiry)
        return True

    async def delete(self, key: str) -> bool:
        """Delete a key; return whether it had a value."""
        encoded = b"value:" + key_bytes(key)
        existed = self._read(encoded) is not None
        self._remove(encoded)
        return existed

    async def increment(self, key: str, by: int = 1, expires_in: float | None = None) -> int:
        """Add to an integer, and return the sum."""
        encoded, expiry = b"value:" + key_bytes(key), self._expiry(expires_in)
        current = self._read(encoded)
        if current is None:
            total = checked_sum(by)
        elif _INTEGER.fullmatch(current):
            total, expiry = checked_sum(int(current) + checked_sum(by)), self._entries[encoded].expires_at
        else:
            raise ValueError(f"the value of '{key}' is not an integer")
        self._write(encoded, str(total).encode(), expiry)
        return total

    async def gcra(self, key: str, limit: int, period: float, burst: int | None = None) -> RateDecision:
        """Count a call against a rate limit, and return whether it is allowed."""
        interval, calls = checked_rate(limit, period, burst)
        encoded, now = b"rate:" + key_bytes(key), self._clock()
        current = self._read(encoded)
        arrival = max(now, float(current) if current is not None else now)
        # Rounding must not refuse a call at the very time of `retry_after`.
        ahead = arrival + interval - now - calls * interval
        if ahead > 1e-6:
            return RateDecision(allowed=False, retry_after=ahead)
        self._write(encoded, repr(arrival + interval).encode(), arrival + interval)
        return RateDecision(allowed=True, remaining=max(0, floor(-ahead / interval + 1e-6)))

    async def acquire(self, name: str, ttl: float) -> int | None:
        """Acquire a lock for a time."""
        encoded, expiry = b"lock:" + key_bytes(name), self._expiry(ttl)
        if self._read(encoded) is not None:
            return None
        self._last_token += 1
        self._write(encoded, str(self._last_token).encode(), expiry)
        return self._last_token

    async def release(self, name: str, token: int) -> bool:
        """Release a lock."""
        encoded = b"lock:" + key_bytes(name)
        held = self._read(encoded) == str(token).encode()
        if held:
            self._remove(encoded)
        return held

    async def lease(self, name: str, holder: str, limit: int, ttl: float) -> bool:
        """Hold one of `limit` leases for a time, or renew it."""
        encoded, expiry = checked_leases(holder, limit), self._expiry(ttl) or 0.0
        leases = self._leases(name)
        if encoded.hex() not in leases and len(leases) >= limit:
            return False
        leases[encoded.hex()] = expiry
        self._write_leases(name, leases)
        return True

    async def end_lease(self, name: str, holder: str) -> None:
        """End the lease of a holder, if it has one."""
        leases = self._leases(name)
        leases.pop(checked_leases(holder, 1).hex(), None)
        self._write_leases(name, leases)

    def _leases(self, name: str) -> dict[str, float]:
        """Return the current holders, with the expiry of their leases."""
        lines = (self._read(b"lease:" + key_bytes(name)) or b"").decode().splitlines()
        leases = {holder: float(expiry) for holder, _, expiry in (line.partition(" ") for line in lines)}
        return {holder: expiry for holder, expiry in leases.items() if expiry > self._clock()}

    def _write_leases(self, name: str, leases: Mapping[str, float]) -> None:
        encoded = b"lease:" + key_bytes(name)
        if not leases:
            self._remove(encoded)
            return
        lines = (f"{holder} {expiry!r}" for holder, expiry in leases.items())
        self._write(encoded, "\n".join(lines).encode(), max(leases.values()))

    async def publish(self, channel: str, message: Value) -> None:
        """Send a message to the current subscribers of a channel."""
        encoded = value_bytes(message)
        for subscription in self._subscriptions.get(key_bytes(channel), ()):
            subscription.add(encoded)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Return a context manager of the messages that are published after it is entered."""
        key, subscription = key_bytes(channel), _Subscription()
        self._subscriptions.setdefault(key, []).append(subscription)
        try:
            yield subscription.messages()
        finally:
            subscriptions = self._subscriptions.get(key, [])
            if subscription in subscriptions:
                subscriptions.remove(subscription)
            if not subscriptions:
                self._subscriptions.pop(key, None)

    async def stop(self) -> None:
        """End the subscriptions; the values stay."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.end("the state store is stopped")
        self._subscriptions.clear()

    def _expiry(self, expires_in: float | None) -> float | None:
        seconds = checked_time(expires_in)
        return None if seconds is None else self._clock() + seconds

    def _read(self, key: bytes) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None or (entry.expires_at is not None and entry.expires_at <= self._clock()):
            return None
        return entry.value

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(key) + len(entry.value) + _ENTRY_BYTES

    def _write(self, key: bytes, value: bytes, expires_at: float | None) -> None:
        size = len(key) + len(value) + _ENTRY_BYTES
        self._remove(key)
        self._make_room(size)
        self._entries[key] = _Entry(value, expires_at)
        self._bytes += size
        if expires_at is not None:
            heapq.heappush(self._expiries, (expires_at, key))
            if len(self._expiries) > 2 * len(self._entries) + 1000:
                current = ((entry.expires_at, key) for key, entry in self._entries.items())
                self._expiries = [(expiry, key) for expiry, key in current if expiry is not None]
                heapq.heapify(self._expiries)

    def _make_room(self, size: int) -> None:
        now = self._clock()
        while self._expiries and self._expiries[0][0] <= now:
            self._drop_first()
        while len(self._entries) >= self._max_entries or self._bytes + size > self._max_bytes:
            if not self._expiries:
                raise StoreUnavailableError("the state store in memory is full; use a server (--state)")
            self._drop_first()

    def _drop_first(self) -> None:
        expires_at, key = heapq.heappop(self._expiries)
        if (entry := self._entries.get(key)) is not None and entry.expires_at == expires_at:
            self._remove(key)
