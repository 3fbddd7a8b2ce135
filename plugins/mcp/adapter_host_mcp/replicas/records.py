"""Records of sessions that no replica can know from the session id: whether one has ended, and its log level."""

from __future__ import annotations

from typing import Final

from adapter_host import StateStore

MAX_RECORDS: Final = 100_000
"""Maximum number of records in the store; the oldest are deleted."""

ENDED: Final = b"ended"


class SessionRecords:
    """The records in the store; every method may raise `StoreUnavailableError`. `expires_in` is in seconds."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def read(self, session: str) -> bytes | None:
        """Return `ENDED`, the log level of a session, or None."""
        return await self._store.get(_key(session))

    async def end(self, session: str, expires_in: float) -> None:
        """Record that a session has ended."""
        if await self._store.compare_and_set(_key(session), None, ENDED, expires_in):
            await self._drop_oldest(session, expires_in)
        else:
            await self._store.set(_key(session), ENDED, expires_in)

    async def set_log_level(self, session: str, log_level: str, expires_in: float) -> None:
        """Record the log level of a session, unless it has ended."""
        if await self._store.compare_and_set(_key(session), None, log_level, expires_in):
            await self._drop_oldest(session, expires_in)
            return
        current = await self._store.get(_key(session))
        if current != ENDED:
            await self._store.compare_and_set(_key(session), current, log_level, expires_in)

    async def _drop_oldest(self, session: str, expires_in: float) -> None:
        slot = f"slot:{await self._store.increment('records') % MAX_RECORDS}"
        oldest = await self._store.get(slot)
        await self._store.set(slot, session, expires_in)
        if oldest is not None:
            await self._store.delete(_key(oldest.decode()))


def _key(session: str) -> str:
    return f"session:{session}"
