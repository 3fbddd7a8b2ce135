"""The state store in a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from math import ceil
from typing import Any, Final, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from adapter_host import (
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

from . import scripts
from .breaker import Breaker, unavailable
from .server_url import ServerUrl

TIMEOUT: Final = 0.5
CONNECTIONS: Final = 50
SUBSCRIPTIONS: Final = 100
PING_AFTER: Final = 5.0
"""A subscription without a message for this time checks that the server still responds."""

_TOKENS: Final = b"lock-tokens"

ResultT = TypeVar("ResultT")


class RedisStateStore(StateStore):
    """State in Redis or Valkey: `redis://`, `valkey://`, and with TLS `rediss://`, `valkeys://`.

    A call ends within 0.5 s. After three failures in a row, calls fail at once, and one call in each second is a probe.
    It uses at most 50 connections, and one for each of at most 100 subscriptions.
    """

    def __init__(
        self,
        url: str,
        environment: Mapping[str, str],
        *,
        timeout: float = TIMEOUT,
        ping_after: float = PING_AFTER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, environment)
        self._server = ServerUrl.parse(url, environment)
        self._timeout = timeout
        self._ping_after = ping_after
        self._breaker = Breaker(self._server.name, clock)
        self._clients: list[Redis] = []
        self._readers: set[asyncio.Timeout] = set()

    def __repr__(self) -> str:
        return f"RedisStateStore({self._server.name})"

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, None if there is none or it has expired."""
        found: bytes | None = await self._call(lambda client: client.get(b"value:" + key_bytes(key)))
        return found

    async def set(self, key: str, value: Value, expires_in: float | None = None) -> None:
        """Set the value of a key, and its expiry."""
        encoded, expiry = value_bytes(value), _milliseconds(expires_in)
        await self._call(lambda client: client.set(b"value:" + key_bytes(key), encoded, px=expiry))

    async def compare_and_set(
        self, key: str, expected: Value | None, value: Value | None, expires_in: float | None = None
    ) -> bool:
        """Set a value only if the current one is as expected."""
        args = (*_optional(expected), *_optional(value), _milliseconds(expires_in) or b"")
        return bool(await self._run(scripts.COMPARE_AND_SET, [b"value:" + key_bytes(key)], *args))

    async def delete(self, key: str) -> bool:
        """Delete a key; return whether it had a value."""
        return bool(await self._call(lambda client: client.delete(b"value:" + key_bytes(key))))

    async def increment(self, key: str, by: int = 1, expires_in: float | None = None) -> int:
        """Add to an integer, and return the sum."""
        args = (checked_sum(by), _milliseconds(expires_in) or b"")
        return int(await self._run(scripts.INCREMENT, [b"value:" + key_bytes(key)], *args))

    async def gcra(self, key: str, limit: int, period: float, burst: int | None = None) -> RateDecision:
        """Count a call against a rate limit, and return whether it is allowed."""
        interval, calls = checked_rate(limit, period, burst)
        keys = [b"rate:" + key_bytes(key)]
        allowed, ahead, remaining = await self._run(scripts.GCRA, keys, repr(interval * 1e6), calls)
        return RateDecision(bool(allowed), int(ahead) / 1e6, remaining)

    async def acquire(self, name: str, ttl: float) -> int | None:
        """Acquire a lock for a time."""
        token = await self._run(scripts.ACQUIRE, [b"lock:" + key_bytes(name), _TOKENS], _milliseconds(ttl) or b"")
        return None if token is None else int(token)

    async def release(self, name: str, token: int) -> bool:
        """Release a lock."""
        return bool(await self._run(scripts.RELEASE, [b"lock:" + key_bytes(name)], token))

    async def lease(self, name: str, holder: str, limit: int, ttl: float) -> bool:
        """Hold one of `limit` leases for a time, or renew it."""
        args = (checked_leases(holder, limit), limit, _milliseconds(ttl) or b"")
        return bool(await self._run(scripts.LEASE, [b"lease:" + key_bytes(name)], *args))

    async def end_lease(self, name: str, holder: str) -> None:
        """End the lease of a holder, if it has one."""
        await self._call(lambda client: client.zrem(b"lease:" + key_bytes(name), checked_leases(holder, 1)))

    async def publish(self, channel: str, message: Value) -> None:
        """Send a message to the current subscribers of a channel."""
        encoded = value_bytes(message)
        await self._call(lambda client: client.publish(self._channel(channel), encoded))

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Return a context manager of the messages that are published after it is entered."""
        subscription = self._open()[1].pubsub()
        try:
            await self._guarded(lambda: self._subscribe(subscription, self._channel(channel)))
            yield self._messages(subscription)
        finally:
            # The connection may be broken, or the server may be away; it is closed in any case.
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await subscription.aclose()  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Close all connections, and end the subscriptions."""
        clients, self._clients = self._clients, []
        for reader in self._readers:
            reader.reschedule(asyncio.get_running_loop().time())
        for client in clients:
            await client.aclose()

    def _channel(self, channel: str) -> bytes:
        # Channels are the same in all databases of a server.
        return b"%d:%s" % (self._server.database, key_bytes(channel))

    async def _subscribe(self, subscription: PubSub, channel: bytes) -> None:
        await subscription.subscribe(channel)
        while (message := await subscription.get_message(timeout=self._timeout)) is None:
            pass
        if message["type"] != "subscribe":
            raise RedisError("the server has not confirmed the subscription")

    async def _messages(self, subscription: PubSub) -> AsyncIterator[bytes]:
        while True:
            try:
                message = await self._next_message(subscription)
            except (RedisError, OSError, TimeoutError) as error:
                raise unavailable() from error
            if message["type"] == "message":
                data: bytes = message["data"]
                yield data

    async def _next_message(self, subscription: PubSub) -> dict[str, Any]:
        async with asyncio.timeout(None) as reading:
            self._readers.add(reading)
            try:
                message = await subscription.get_message(timeout=self._ping_after)
                if message is None:
                    await subscription.ping()
                    message = await subscription.get_message(timeout=self._timeout)
            finally:
                self._readers.discard(reading)
        if message is None:
            raise TimeoutError
        found: dict[str, Any] = message
        return found

    async def _run(self, script: str, keys: list[bytes], *args: Any) -> Any:
        return await self._call(lambda client: client.register_script(script)(keys=keys, args=args))

    async def _call(self, send: Callable[[Redis], Awaitable[Any]]) -> Any:
        return await self._guarded(lambda: send(self._open()[0]))

    async def _guarded(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        self._breaker.check()
        task = asyncio.current_task()
        requests = task.cancelling() if task is not None else 0
        try:
            async with asyncio.timeout(self._timeout):
                result = await call()
        except ResponseError as error:
            if "not an integer" in str(error) or "overflow" in str(error):
                self._breaker.succeeded()
                raise ValueError("the value is not an integer, or the counter has more than 64 bits") from None
            self._breaker.failed(error)
            raise unavailable() from error
        except (RedisError, OSError, TimeoutError) as error:
            self._breaker.failed(error)
            raise unavailable() from error
        self._breaker.succeeded()
        if task is not None and task.cancelling() > requests:
            # The client uses asyncio.wait_for, which ignores a cancellation in its last moment (Python 3.11).
            raise asyncio.CancelledError
        return result

    def _open(self) -> list[Redis]:
        """Return the clients of calls and of subscriptions; they connect on first use."""
        if not self._clients:
            self._clients = [self._client(CONNECTIONS), self._client(SUBSCRIPTIONS)]
        return self._clients

    def _client(self, connections: int) -> Redis:
        server = self._server
        options: dict[str, Any] = {
            "host": server.host,
            "port": server.port,
            "db": server.database,
            "username": server.username,
            "password": server.password,
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            # The caller decides whether a change can be repeated.
            "retry": Retry(NoBackoff(), 0),
            # Without the requests by which the client announces itself.
            "protocol": 2,
            "driver_info": None,
        }
        if server.tls:
            names = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
            options |= {names[key]: file for key, file in server.files.items()}
            options["connection_class"] = SSLConnection
        return Redis.from_pool(BlockingConnectionPool(max_connections=connections, timeout=self._timeout, **options))


def _milliseconds(seconds: float | None) -> int | None:
    checked = checked_time(seconds)
    return None if checked is None else max(1, ceil(checked * 1000))


def _optional(value: Value | None) -> tuple[bytes, bytes]:
    return (b"0", b"") if value is None else (b"1", value_bytes(value))
