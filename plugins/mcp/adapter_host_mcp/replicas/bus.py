"""Messages between replicas: one subscription to the state store for all exposers of a process."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Mapping
from typing import Any, Final, Protocol

import orjson

from adapter_host import StateStore, StoreUnavailableError

RETRY_AFTER: Final = 1.0
"""Seconds between two attempts to subscribe."""

MAX_TASKS: Final = 1000
"""Maximum number of messages that are being sent in the background; further ones are dropped, and logged."""

_CHANNEL: Final = "messages"
_log = logging.getLogger("adapter_host.mcp")


class Member(Protocol):
    """An exposer of this process; `scope` is the same for the same exposer of each replica."""

    @property
    def scope(self) -> str: ...

    async def receive(self, kind: str, content: Mapping[str, Any]) -> None:
        """Handle a message of another replica."""

    async def recover(self) -> None:
        """Read the state that lost messages were about."""


class ReplicaBus:
    """Sends messages to the exposers of other replicas, and receives theirs; each arrives at most once."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._sender = secrets.token_hex(8)
        self._members: dict[Member, None] = {}
        self._reader: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, member: Member) -> None:
        """Add an exposer; return when it receives messages, or when the store is found to be unavailable."""
        self._members[member] = None
        if self._reader is None:
            self._tried.clear()
            self._reader = asyncio.create_task(self._read())
        await self._tried.wait()

    async def leave(self, member: Member) -> None:
        """Remove an exposer; without any, end the subscription."""
        self._members.pop(member, None)
        reader = self._reader
        if self._members or reader is None:
            return
        self._reader = None
        tasks = [reader, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def newest(self, scope: str) -> Member | None:
        """Return the exposer of a scope that has joined last: after a reload, the one that serves now."""
        return next((member for member in reversed(self._members) if member.scope == scope), None)

    async def send(self, scope: str, kind: str, **content: Any) -> None:
        """Send a message to the exposer `scope` of all other replicas; raise `StoreUnavailableError`."""
        message = {"from": self._sender, "to": scope, "kind": kind, "content": content}
        await self._store.publish(_CHANNEL, orjson.dumps(message))

    def send_soon(self, scope: str, kind: str, **content: Any) -> None:
        """Send a message in the background; if the store is unavailable, only log it."""
        if len(self._tasks) >= MAX_TASKS:
            _log.warning("message '%s' is not sent to other replicas: too many are being sent", kind)
            return
        self._run(self._send_or_log(scope, kind, content))

    async def _send_or_log(self, scope: str, kind: str, content: Mapping[str, Any]) -> None:
        try:
            await self.send(scope, kind, **content)
        except StoreUnavailableError:
            _log.warning("message '%s' is not sent to other replicas: the state store is unavailable", kind)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        lost = False
        while True:
            try:
                async with self._store.subscribe(_CHANNEL) as messages:
                    for member in list(self._members) if lost else ():
                        await member.recover()
                    self._tried.set()
                    async for message in messages:
                        await self._deliver(message)
            except StoreUnavailableError:
                # The store logs it.
                pass
            except Exception:
                # The store may be that of a plugin; an exposer must start without its messages, too.
                _log.exception("messages of other replicas cannot be read")
            self._tried.set()
            lost = True
            await asyncio.sleep(RETRY_AFTER)

    async def _deliver(self, message: bytes) -> None:
        try:
            decoded = orjson.loads(message)
            if decoded["from"] == self._sender:
                return
            for member in list(self._members):
                if member.scope == decoded["to"]:
                    await member.receive(decoded["kind"], decoded["content"])
        except StoreUnavailableError:
            raise
        except Exception:
            # A replica of another version may send other messages; the next ones must still be read.
            _log.exception("message of another replica is not understood")
