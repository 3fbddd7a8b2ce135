"""The link of one exposer to the same exposer of other replicas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from adapter_host import BuildContext, StateStore, encode_json

from .bus import ReplicaBus
from .key import SharedKey
from .records import SessionRecords

_NAMESPACE: Final = "mcp"

Receiver = Callable[[Mapping[str, Any]], Awaitable[None]]


class ReplicaLink:
    """Records of sessions, and messages, that an exposer shares with the same exposer of other replicas.

    `lists` is a digest of the lists of the exposer: only replicas with the same lists announce changes to each other.
    """

    def __init__(self, store: StateStore, bus: ReplicaBus, scope: str, lists: str) -> None:
        self.scope = scope
        self.lists = lists
        self.store = store
        self.records = SessionRecords(store)
        self._bus = bus
        self._receivers: dict[str, Receiver] = {"changed": self._receive_change}
        self._recoveries: list[Callable[[], Awaitable[None]]] = []
        self._on_change: Callable[[], None] | None = None
        self._on_key: Callable[[bytes], None] | None = None

    async def join(self) -> bytes:
        """Subscribe to messages of other replicas; return the signing key of all replicas."""
        key = await self._bus.key.load()
        await self._bus.join(self)
        return key

    async def leave(self) -> None:
        """Receive no more messages."""
        await self._bus.leave(self)

    def on(self, kind: str, receiver: Receiver, recover: Callable[[], Awaitable[None]] | None = None) -> None:
        """Call `receiver` for messages of a kind, and `recover` when some may have been lost."""
        self._receivers[kind] = receiver
        if recover is not None:
            self._recoveries.append(recover)

    def serve(self, on_change: Callable[[], None], on_key: Callable[[bytes], None]) -> None:
        """Call `on_change` when the lists of another replica have changed, and `on_key` with another signing key."""
        self._on_change, self._on_key = on_change, on_key

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

    async def recover(self, key: bytes) -> None:
        """Read the state that lost messages were about."""
        if self._on_key is not None:
            self._on_key(key)
        for recover in self._recoveries:
            await recover()
        # The lists may have changed meanwhile.
        if self._on_change is not None:
            self._on_change()

    async def _receive_change(self, content: Mapping[str, Any]) -> None:
        if content["lists"] == self.lists and self._on_change is not None:
            self._on_change()


def link_replicas(context: BuildContext, key: bytes, lists: Any, *, declared: bool) -> ReplicaLink:
    """Return the link of an exposer.

    `key` signs session ids; a `declared` one is the same in all replicas. `lists` are those of the exposer, as JSON.
    """
    store = context.state.namespaced(_NAMESPACE)
    bus = context.shared_state(
        f"{_NAMESPACE}.replicas", lambda: ReplicaBus(store, SharedKey(store, key, declared=declared))
    )
    scope = _digest([context.site.capability, context.namespace])
    return ReplicaLink(store, bus, scope, _digest(lists))


def _digest(value: Any) -> str:
    return sha256(encode_json(value)).hexdigest()[:32]
