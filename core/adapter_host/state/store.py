"""The interface of state stores: values with expiry, counters, rate limits, locks and messages."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from adapter_host.errors import LockHeldError, StoreUnavailableError

Value = bytes | str | int
"""A value to store: bytes, text as UTF-8, or an integer as decimal digits; `get` returns the bytes."""

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 1024 * 1024
MAX_PENDING_MESSAGES: Final = 1000
"""The messages that a subscription holds for its reader before it ends."""

_MAX_INTEGER: Final = 2**63 - 1
_LOCK_INTERVAL: Final = 0.05
_RENEWAL: Final = 0.3
"""The part of its time after which a lease is renewed: two renewals may fail."""


@dataclass(frozen=True, slots=True)
class RateDecision:
    """The decision of a rate limit: `retry_after` is in seconds, `remaining` are the calls allowed at once."""

    allowed: bool
    retry_after: float = 0.0
    remaining: int = 0


class StateStore(ABC):
    """State of one deployment by key; a plugin registers a class for the scheme of the store's URL (`--state`).

    `url` is that of the settings; `environment` may have secrets that the URL lacks. `__init__` opens nothing: the
    first use does. It raises `ValueError` for an invalid URL; the message must hold no secret.

    Every method may raise `StoreUnavailableError`, and does so within the timeout of the store. A change whose call
    raises it may have been made. Keys have at most 512 bytes, values at most 1 MiB, `expires_in` and other times are
    in seconds and positive; for others, `ValueError` is raised. A key without expiry stays until it is deleted.
    """

    is_shared: bool = True
    """Whether other processes can use the same state."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        self.url = url
        self.environment = environment

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, None if there is none or it has expired."""

    @abstractmethod
    async def set(self, key: str, value: Value, expires_in: float | None = None) -> None:
        """Set the value of a key, and its expiry: without `expires_in`, none."""

    @abstractmethod
    async def compare_and_set(
        self, key: str, expected: Value | None, value: Value | None, expires_in: float | None = None
    ) -> bool:
        """Set a value only if the current one is as expected, and return whether it was.

        None expects no value, or deletes the key.
        """

    @abstractmethod
    async def delete(self, key: str) -> bool:
        """Delete a key; return whether it had a value."""

    @abstractmethod
    async def increment(self, key: str, by: int = 1, expires_in: float | None = None) -> int:
        """Add to an integer, 0 if there is none, and return the sum.

        `expires_in` applies only to the call that creates the key. Raise `ValueError` if the value is no integer, or
        the sum has more than 64 bits.
        """

    @abstractmethod
    async def gcra(self, key: str, limit: int, period: float, burst: int | None = None) -> RateDecision:
        """Count a call against a rate limit by the generic cell rate algorithm, and return whether it is allowed.

        Calls are spread evenly: `limit` in each `period`, and at most `burst` at once (default: `limit`). Within any
        period, at most `limit + burst` are allowed. A refused call does not count.
        """

    @abstractmethod
    async def acquire(self, name: str, ttl: float) -> int | None:
        """Acquire a lock for a time; return its fencing token, None if another owner holds it. See `lock`."""

    @abstractmethod
    async def release(self, name: str, token: int) -> bool:
        """Release a lock; return whether the owner with this token still held it."""

    @abstractmethod
    async def lease(self, name: str, holder: str, limit: int, ttl: float) -> bool:
        """Hold one of `limit` leases for a time, or renew it; return False if other holders have all of them.

        A lease that is neither renewed nor ended within `ttl` ends: its holder is taken for dead.
        """

    @abstractmethod
    async def end_lease(self, name: str, holder: str) -> None:
        """End the lease of a holder, if it has one."""

    @abstractmethod
    async def publish(self, channel: str, message: Value) -> None:
        """Send a message to the current subscribers of a channel; each receives it at most once."""

    @abstractmethod
    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Return a context manager of the messages that are published after it is entered.

        The iterator raises `StoreUnavailableError` when messages may have been lost: the store was away, or the reader
        is 1000 messages behind. Subscribe again, and read the state that the messages are about.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Close everything; the next use opens it again. Subscriptions end."""

    @asynccontextmanager
    async def lock(self, name: str, ttl: float, *, wait: float = 0.0) -> AsyncIterator[int]:
        """Hold a lock in a block, whose value is the fencing token: it is larger than all earlier ones of the lock.

        The lock ends after `ttl`, even if the block has not: pass the token along with each write, and refuse writes
        with a smaller token than the last one. Raise `LockHeldError` if another owner holds it for more than `wait`.
        """
        deadline = asyncio.get_running_loop().time() + wait
        while (token := await self.acquire(name, ttl)) is None:
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                raise LockHeldError(f"another owner holds the lock '{name}'; try again later")
            await asyncio.sleep(min(_LOCK_INTERVAL, remaining))
        try:
            yield token
        except BaseException as error:
            try:
                await self.release(name, token)
            except StoreUnavailableError as unavailable:
                # The lock ends on its own; the error of the block is the one to handle.
                error.add_note(f"the lock '{name}' has not been released: {unavailable}")
            raise
        await self.release(name, token)

    @asynccontextmanager
    async def hold_lease(self, name: str, ttl: float, *, limit: int = 1) -> AsyncIterator[bool]:
        """Hold one of `limit` leases in a block, whose value is False if other holders have all of them.

        It is renewed until the block ends. If its process dies, or the store is away, it ends after `ttl`.
        """
        holder = token_hex(16)
        if not await self.lease(name, holder, limit, ttl):
            yield False
            return
        renewing = asyncio.create_task(self._renew_lease(name, holder, limit, ttl))
        try:
            yield True
        finally:
            renewing.cancel()
            # The lease ends on its own.
            with suppress(StoreUnavailableError):
                await self.end_lease(name, holder)

    async def _renew_lease(self, name: str, holder: str, limit: int, ttl: float) -> None:
        while True:
            await asyncio.sleep(ttl * _RENEWAL)
            with suppress(StoreUnavailableError):
                await self.lease(name, holder, limit, ttl)

    def namespaced(self, name: str) -> StateStore:
        """Return this store with `name:` before each key, lock and channel; a plugin uses one of its own."""
        return NamespacedStore(self, name)


class NamespacedStore(StateStore):
    """A store with a prefix before each key, lock and channel; to stop it is left to the owner of the store."""

    def __init__(self, store: StateStore, name: str) -> None:
        super().__init__(store.url, store.environment)
        self.is_shared = store.is_shared
        self._store = store
        self._prefix = f"{name}:"

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key."""
        return await self._store.get(self._prefix + key)

    async def set(self, key: str, value: Value, expires_in: float | None = None) -> None:
        """Set the value of a key."""
        await self._store.set(self._prefix + key, value, expires_in)

    async def compare_and_set(
        self, key: str, expected: Value | None, value: Value | None, expires_in: float | None = None
    ) -> bool:
        """Set a value only if the current one is as expected."""
        return await self._store.compare_and_set(self._prefix + key, expected, value, expires_in)

    async def delete(self, key: str) -> bool:
        """Delete a key."""
        return await self._store.delete(self._prefix + key)

    async def increment(self, key: str, by: int = 1, expires_in: float | None = None) -> int:
        """Add to an integer."""
        return await self._store.increment(self._prefix + key, by, expires_in)

    async def gcra(self, key: str, limit: int, period: float, burst: int | None = None) -> RateDecision:
        """Count a call against a rate limit."""
        return await self._store.gcra(self._prefix + key, limit, period, burst)

    async def acquire(self, name: str, ttl: float) -> int | None:
        """Acquire a lock."""
        return await self._store.acquire(self._prefix + name, ttl)

    async def release(self, name: str, token: int) -> bool:
        """Release a lock."""
        return await self._store.release(self._prefix + name, token)

    async def lease(self, name: str, holder: str, limit: int, ttl: float) -> bool:
        """Hold a lease."""
        return await self._store.lease(self._prefix + name, holder, limit, ttl)

    async def end_lease(self, name: str, holder: str) -> None:
        """End a lease."""
        await self._store.end_lease(self._prefix + name, holder)

    async def publish(self, channel: str, message: Value) -> None:
        """Send a message to a channel."""
        await self._store.publish(self._prefix + channel, message)

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Return the messages of a channel."""
        return self._store.subscribe(self._prefix + channel)

    async def stop(self) -> None:
        """Do nothing: other namespaces use the store, too."""


def key_bytes(key: str) -> bytes:
    """Return a key as bytes; raise `ValueError` if it is empty or too long."""
    encoded = key.encode()
    if not 0 < len(encoded) <= MAX_KEY_BYTES:
        raise ValueError(f"a key has 1 to {MAX_KEY_BYTES} bytes, not {len(encoded)}; use a digest")
    return encoded


def value_bytes(value: Value) -> bytes:
    """Return a value as bytes; raise `ValueError` if it is too large."""
    encoded = value if isinstance(value, bytes) else str(value).encode()
    if len(encoded) > MAX_VALUE_BYTES:
        raise ValueError(f"a value has at most {MAX_VALUE_BYTES} bytes, not {len(encoded)}")
    return encoded


def checked_time(seconds: float | None) -> float | None:
    """Return a time; raise `ValueError` if it is not positive and finite."""
    if seconds is not None and not 0 < seconds < 1e9:
        raise ValueError(f"a time is a positive number of seconds, not {seconds}")
    return seconds


def checked_sum(total: int) -> int:
    """Return the sum of a counter; raise `ValueError` if it has more than 64 bits."""
    if not -_MAX_INTEGER - 1 <= total <= _MAX_INTEGER:
        raise ValueError("a counter has at most 64 bits")
    return total


def checked_leases(holder: str, limit: int) -> bytes:
    """Return the holder of a lease as bytes; raise `ValueError` if it is empty or too long, or the limit below 1."""
    if limit < 1:
        raise ValueError("a limit of leases is at least 1")
    return key_bytes(holder)


def checked_rate(limit: int, period: float, burst: int | None) -> tuple[float, int]:
    """Return the time between two calls, and the number of calls at once; raise `ValueError`."""
    calls = limit if burst is None else burst
    checked_time(period)
    if limit < 1 or calls < 1:
        raise ValueError("a rate limit and its burst are at least 1")
    return period / limit, calls
