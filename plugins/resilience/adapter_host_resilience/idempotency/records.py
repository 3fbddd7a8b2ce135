"""Records of calls with an idempotency key, sealed in the state store."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final

from adapter_host import Result, Sealer, StateStore, UpstreamStatusError, decode_json, encode_json

MAX_KEPT: Final = 256 * 1024
"""The size of the largest response that is kept, in bytes."""


@dataclass(frozen=True, slots=True)
class Record:
    """A call: its arguments, and its response if it has ended; a response that is not kept is empty."""

    arguments: str
    ended: bool = False
    response: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Records:
    """The records of a deployment. Without a `sealer`, the store must be that of this process."""

    def __init__(self, store: StateStore, sealer: Sealer | None, keep_for: float) -> None:
        self._store = store
        self._sealer = sealer
        self._keep_for = keep_for

    async def read(self, place: str) -> tuple[bytes | None, Record | None]:
        """Return the value in the store, and the record in it; None if there is none or nobody can open it."""
        value = await self._store.get(place)
        opened = value if value is None or self._sealer is None else self._sealer.unseal(value, place)
        if opened is None:
            return value, None
        content: dict[str, Any] = decode_json(opened)
        return value, Record(content["arguments"], content["ended"], content["response"])

    async def write(self, place: str, current: bytes | None, record: Record | None) -> bytes | None:
        """Replace the value in the store, or delete it; return the new one, None if another replica has changed it."""
        value = b"" if record is None else self._sealed(place, record)
        new = None if record is None else value
        return value if await self._store.compare_and_set(place, current, new, self._keep_for) else None

    def _sealed(self, place: str, record: Record) -> bytes:
        # The id makes each value different, so that a replica replaces only its own one.
        content = {"arguments": record.arguments, "ended": record.ended, "response": record.response}
        encoded = encode_json({**content, "id": token_hex(8)})
        return encoded if self._sealer is None else self._sealer.seal(encoded, place)


def kept_result(result: Result) -> Mapping[str, Any]:
    """Return a result for a record; empty for a stream and for a body that is too large."""
    if result.stream is not None:
        return {}
    return _kept(result.status, result.media_type, result.headers, result.body)


def kept_error(error: UpstreamStatusError) -> Mapping[str, Any]:
    """Return the response of an API with the status of an error for a record."""
    return {**_kept(error.upstream_status, error.media_type, error.headers, error.body), "failed": True}


def _kept(status: int, media_type: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    if len(body) > MAX_KEPT:
        return {}
    plain = {str(name): value for name, value in headers.items()}
    return {"status": status, "type": media_type, "headers": plain, "body": b64encode(body).decode()}


def replay(response: Mapping[str, Any]) -> Result:
    """Return the result in a record; raise `UpstreamStatusError` for an error."""
    body = b64decode(response["body"])
    if response.get("failed"):
        raise UpstreamStatusError(response["status"], body, response["type"], response["headers"])
    return Result(status=response["status"], media_type=response["type"], headers=response["headers"], body=body)
