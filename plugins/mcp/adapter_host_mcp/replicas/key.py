"""The key that signs session ids, shared by replicas."""

from __future__ import annotations

import logging
from typing import Final

from adapter_host import StateStore, StoreUnavailableError

_NAME: Final = "key"
_log = logging.getLogger("adapter_host.mcp")


class SharedKey:
    """A key that the first replica stores for all; `value` is that of this process until then.

    A key that is `declared` in the environment is not stored.
    """

    def __init__(self, store: StateStore, value: bytes, *, declared: bool) -> None:
        self.value = value
        self.confirmed = declared
        self._declared = declared
        self._store = store

    async def load(self) -> bytes:
        """Return the key; while the store is unavailable, that of this process."""
        if not self.confirmed:
            try:
                await self.confirm()
            except StoreUnavailableError:
                _log.warning(
                    "the state store is unavailable: other replicas do not know the MCP sessions that this one opens "
                    "until it is back; set ADAPTER_HOST_MCP_KEY to the same secret in all replicas"
                )
        return self.value

    async def confirm(self) -> None:
        """Store the key if there is none, for example because the store has lost its data, or else take the stored one.

        Raise `StoreUnavailableError`.
        """
        if self._declared:
            return
        if not await self._store.compare_and_set(_NAME, None, self.value):
            stored = await self._store.get(_NAME)
            if stored is None:
                raise StoreUnavailableError("the signing key has just been deleted; try again later")
            self.value = stored
        self.confirmed = True
