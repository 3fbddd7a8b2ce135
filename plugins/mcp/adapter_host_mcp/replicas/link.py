"""The link of one exposer to the same exposer of other replicas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from adapter_host import BuildContext, Sealer, StateStore, encode_json

from .bus import ReplicaBus
from .records import SessionRecords

_NAMESPACE: Final = "mcp"

_PURPOSE: Final = "mcp"
"""The purpose of what is sealed in the store."""

Receiver = Callable[[Mapping[str, Any]], Awaitable[None]]


class ReplicaLink:
    """Records of sessions, and messages, that an exposer shares with the same exposer of other replicas.

    `lists` is a digest of the lists of the exposer: only replicas with the same lists announce changes to each other.
    `sealer` seals responses and events in the store; without it, they stay in this process.
    """

    def __init__(self, store: StateStore, sealer: Sealer | None, bus: ReplicaBus, scope: str, lists: str) -> None:
        self.scope = scope
        self.lists = lists
        self.store = store
        self.sealer = sealer
        self.records = SessionRecords(store)
        self._bus = bus
        self._receivers: dict[str, Receiver] = {"changed": self._receive_change}
        self._recoveries: list[Callable[[], Awaitable[None]]] = []
        self._on_change: Callable[[], None] | None = None

    async def join(self) -> None:
        """Subscribe to messages of other replicas."""
        await self._bus.join(self)

    async def leave(self) -> None:
        """Receive no more messages."""
        await self._bus.leave(self)

    def on(self, kind: str, receiver: Receiver, recover: Callable[[], Awaitable[None]] | None = None) -> None:
        """Call `receiver` for messages of a kind, and `recover` when some may have been lost."""
        self._receivers[kind] = receiver
        if recover is not None:
            self._recoveries.append(recover)

    def serve(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` when the lists of another replica have changed."""
        self._on_change = on_change

    async def send(self, kind: str, **content: Any) -> None:
        """Send a message to the other replicas; raise `StoreUnavailableError`."""
        await self._bus.send(self.scope, kind, **content)

    def send_soon(self, kind: str, **content: Any) -> None:
        """Send a message in the background; if the store is unavailable, only log it."""
        self._bus.send_soon(self.scope, kind, **content)

    def announce_change(self) -> None:
        """Announce that the lists have changed; after a reload, those of the exposer that serves now."""
        newest = self._bus.newest(self.scope)
        if isinstance(newest, ReplicaLink):
            self.send_soon("changed", lists=newest.lists)

    async def receive(self, kind: str, content: Mapping[str, Any]) -> None:
        """Handle a message of another replica."""
        receiver = self._receivers.get(kind)
        if receiver is not None:
            await receiver(content)

    async def recover(self) -> None:
        """Read the state that lost messages were about."""
        for recover in self._recoveries:
            await recover()
        # The lists may have changed meanwhile.
        if self._on_change is not None:
            self._on_change()

    async def _receive_change(self, content: Mapping[str, Any]) -> None:
        if content["lists"] == self.lists and self._on_change is not None:
            self._on_change()


def link_replicas(context: BuildContext, lists: Any) -> ReplicaLink:
    """Return the link of an exposer; `lists` are those of the exposer, as JSON."""
    store = context.state.namespaced(_NAMESPACE)
    bus = context.shared_state(f"{_NAMESPACE}.replicas", lambda: ReplicaBus(store))
    scope = _digest([context.site.capability, context.namespace])
    return ReplicaLink(store, context.sealer(_PURPOSE), bus, scope, _digest(lists))


def _digest(value: Any) -> str:
    return sha256(encode_json(value)).hexdigest()[:32]
