"""Complete results, held in the state store for the callers that got a part of them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

import orjson

from adapter_host import (
    BuildContext,
    MemoryStateStore,
    NotFoundError,
    Sealer,
    StateStore,
    StoreUnavailableError,
    current_call,
    encode_json,
)

from .limits import LONGEST_HELD, MOST_BYTES, MOST_CALLER_BYTES, MOST_CALLER_RESULTS, MOST_RESULTS

GONE: Final = "no such result is held for this caller; results are held for a limited time"
"""The words for results that have expired, and for those of other callers."""

_PURPOSE: Final = "mcp held results"
_CHUNK: Final = 1024 * 1024 - 64
_TRIES: Final = 20
_ID_BYTES: Final = 18
_ID: Final = re.compile(r"[A-Za-z0-9_-]{24}")


@dataclass(frozen=True, slots=True)
class Held:
    """A complete result; `tool` has made it, and parts of it are of the array at `path`, if it has one."""

    tool: str
    media_type: str
    path: Sequence[str | int] | None
    held_for: float
    body: bytes


class HeldResults:
    """The held results of an exposer: those of a caller can be read by the same caller, at any replica.

    They are sealed in a store that replicas share. Without one, or without its key, they stay in this process.
    When there are too many, the oldest are dropped: of the caller, then of all.
    """

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._prefix = f"result://{quote(context.namespace, safe='')}/"
        self._most_caller_bytes = max(MOST_CALLER_BYTES, context.settings.response_limit + _CHUNK)

    @cached_property
    def _sealer(self) -> Sealer | None:
        return self._context.sealer(_PURPOSE) if self._context.state.is_shared else None

    @cached_property
    def _store(self) -> StateStore:
        context = self._context
        scope = sha256(encode_json([context.site.capability, context.namespace])).hexdigest()[:32]
        # Not in the memory store of the host, which would drop other entries for large results.
        state = context.shared_state("mcp.held", MemoryStateStore) if self._sealer is None else context.state
        return state.namespaced("mcp").namespaced(f"held:{scope}")

    def uri(self, held_id: str) -> str:
        """Return the URI of a held result."""
        return self._prefix + held_id

    def find_id(self, uri: str) -> str | None:
        """Return the id in the URI of a held result; None for other URIs."""
        return uri[len(self._prefix) :] if uri.startswith(self._prefix) else None

    async def hold(self, held: Held) -> str | None:
        """Hold a result for the caller of the call in progress; return its id, or None if it cannot be held."""
        header = {"tool": held.tool, "type": held.media_type, "path": held.path, "for": held.held_for}
        content = encode_json(header) + b"\n" + held.body
        if len(content) > self._most_caller_bytes:
            return None
        held_id = secrets.token_urlsafe(_ID_BYTES)
        caller, key = _keys(held_id)
        chunks = [content[start : start + _CHUNK] for start in range(0, len(content), _CHUNK)]
        try:
            await self._make_room([key, len(chunks), caller, len(content)])
            for number, chunk in enumerate(chunks):
                name = f"{key}:{number}"
                await self._store.set(name, self._seal(b"%d " % len(chunks) + chunk, name), held.held_for)
        except StoreUnavailableError:
            return None
        return held_id

    async def read(self, held_id: str) -> Held:
        """Return a result that is held for the caller of the call in progress; raise `NotFoundError`."""
        if not _ID.fullmatch(held_id):
            raise NotFoundError(GONE)
        _, key = _keys(held_id)
        count, first = await self._chunk(f"{key}:0")
        rest = [(await self._chunk(f"{key}:{number}"))[1] for number in range(1, count)]
        header, _, body = b"".join([first, *rest]).partition(b"\n")
        members: Mapping[str, Any] = orjson.loads(header)
        return Held(members["tool"], members["type"], members["path"], members["for"], body)

    async def _chunk(self, name: str) -> tuple[int, bytes]:
        stored = await self._store.get(name)
        content = None if stored is None else self._unseal(stored, name)
        if content is None:
            raise NotFoundError(GONE)
        count, _, chunk = content.partition(b" ")
        return int(count), chunk

    def _seal(self, content: bytes, name: str) -> bytes:
        return content if self._sealer is None else self._sealer.seal(content, name)

    def _unseal(self, stored: bytes, name: str) -> bytes | None:
        return stored if self._sealer is None else self._sealer.unseal(stored, name)

    async def _make_room(self, entry: list[Any]) -> None:
        """Add a result to the list of all, and drop the oldest that are too many; raise `StoreUnavailableError`."""
        for _ in range(_TRIES):
            current = await self._store.get("index")
            entries = [] if current is None else orjson.loads(current)
            kept = _within_bounds([*entries, entry], entry[2], self._most_caller_bytes)
            if await self._store.compare_and_set("index", current, encode_json(kept), LONGEST_HELD):
                for key, count, *_ in (each for each in entries if each not in kept):
                    for number in range(count):
                        await self._store.delete(f"{key}:{number}")
                return
        raise StoreUnavailableError("too many results are held at the same time; try again later")


def _within_bounds(entries: list[list[Any]], caller: str, most_caller_bytes: int) -> list[list[Any]]:
    """Return the newest entries within all bounds; each has a key, a number of chunks, a caller and a size."""
    kept: list[list[Any]] = []
    count = size = caller_count = caller_size = 0
    for entry in reversed(entries):
        is_callers = entry[2] == caller
        if is_callers and (caller_count >= MOST_CALLER_RESULTS or caller_size + entry[3] > most_caller_bytes):
            continue
        if count >= MOST_RESULTS or size + entry[3] > max(MOST_BYTES, most_caller_bytes):
            break
        kept.append(entry)
        count, size = count + 1, size + entry[3]
        caller_count, caller_size = caller_count + is_callers, caller_size + entry[3] * is_callers
    return kept[::-1]


def _keys(held_id: str) -> tuple[str, str]:
    """Return the digest of the caller of the call in progress, and the key of its result: others get another key."""
    principal = current_call().principal
    identity = "" if principal is None else principal.identity
    key = sha256(f"{identity}\0{held_id}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16], key
