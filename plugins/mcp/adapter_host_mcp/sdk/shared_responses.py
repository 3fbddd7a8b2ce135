"""Responses of clients that arrive at another replica than the one that has sent the request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, JSONRPCError, JSONRPCResponse

from adapter_host import Sealer, StoreUnavailableError

if TYPE_CHECKING:
    from adapter_host_mcp.replicas.link import ReplicaLink

Key = tuple[str, str | int]
"""The id of a session, and the id of a request in it."""

Settle = Callable[[Key, JSONRPCResponse | JSONRPCError], bool]

_EXPECTED: Final = b"expected"
_KEPT_FOR: Final = 60.0
"""Seconds for which a response waits until its replica reads it."""

_REQUEST_ID: Final = re.compile(r"[0-9a-f]{16}")


class SharedResponses:
    """The pending requests of all replicas in the store, where any of them can put the response, sealed.

    `settle` is called with a response that has arrived for this process.
    """

    def __init__(self, replicas: ReplicaLink, sealer: Sealer, settle: Settle) -> None:
        self._replicas = replicas
        self._sealer = sealer
        self._store = replicas.store
        self._settle = settle
        self._expected: set[Key] = set()
        replicas.on("response", self._receive, self._read_all)

    async def expect(self, key: Key, timeout_seconds: float) -> None:
        """Let other replicas accept the response to a request; while the store is unavailable, only this one does."""
        self._expected.add(key)
        with suppress(StoreUnavailableError):
            await self._store.set(self._name(key), _EXPECTED, max(1.0, timeout_seconds))

    async def forget(self, key: Key) -> None:
        """Let no replica accept the response any more."""
        self._expected.discard(key)
        # Otherwise it expires.
        with suppress(StoreUnavailableError):
            await self._store.delete(self._name(key))

    async def deliver(self, key: Key, message: JSONRPCResponse | JSONRPCError) -> bool:
        """Pass a response on to the replica that expects it; return False when none does."""
        session, request_id = key
        if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
            return False
        encoded = message.model_dump_json(by_alias=True).encode()
        name = self._name(key)
        try:
            delivered = await self._store.compare_and_set(name, _EXPECTED, self._sealer.seal(encoded, name), _KEPT_FOR)
        except ValueError:
            raise MCPError(INVALID_REQUEST, "the response is too large; send at most 1 MiB") from None
        # A client that has got 503 after the response was stored may send it again.
        delivered = delivered or await self._stored(name) == encoded
        if delivered:
            await self._replicas.send("response", session=session, request=request_id)
        return delivered

    async def _receive(self, content: Mapping[str, Any]) -> None:
        await self._read((content["session"], content["request"]))

    async def _read_all(self) -> None:
        for key in list(self._expected):
            await self._read(key)

    async def _read(self, key: Key) -> None:
        if key not in self._expected:
            return
        stored = await self._stored(self._name(key))
        if stored is None:
            return
        decoded = orjson.loads(stored)
        response_type = JSONRPCError if "error" in decoded else JSONRPCResponse
        self._settle(key, response_type.model_validate(decoded))

    async def _stored(self, name: str) -> bytes | None:
        """Return a response; None if there is none, or it is not sealed by a replica."""
        stored = await self._store.get(name)
        return None if stored is None else self._sealer.unseal(stored, name)

    def _name(self, key: Key) -> str:
        return f"request:{self._replicas.scope}:{key[0]}:{key[1]}"
