"""Approvals in the state store: one for each call that waits, is approved or denied, or is being made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from secrets import token_hex
from typing import Any, Final, Literal

from adapter_host import Sealer, StateStore, decode_json, encode_json

from .binding import PLACE_DIGITS
from .errors import TooManyApprovalsError

MAX_WAITING: Final = 500
"""The calls of one deployment that wait for a decision."""

MAX_WAITING_OF_CALLER: Final = 20

STARTED_TIME: Final = 3600.0
"""The seconds for which a call whose outcome is unknown is remembered."""

_WAITING: Final = "waiting"
_MAX_ATTEMPTS: Final = 50
_NONCE_BYTES: Final = 8

State = Literal["pending", "approved", "denied", "started"]


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval of one call.

    `arguments` are JSON for people, and `upstream` the requests that the call makes. `created`, `expires` and `decided`
    are seconds since 1970. `caller` is the one for people; `subject` is its name in its credentials, if it has any.
    `expires_in` is how long it waits, and how long it is valid once it is approved.
    """

    id: str
    document: str
    capability: str
    exposer: str
    operation: str
    upstream: tuple[str, ...]
    arguments: str
    caller: str
    subject: str | None
    approvers: tuple[str, ...]
    created: float
    expires_in: float
    state: State = "pending"
    decided: float | None = None
    decided_by: str | None = None

    @property
    def place(self) -> str:
        """The place in the store."""
        return self.id[:PLACE_DIGITS]

    @property
    def expires(self) -> float:
        """When nobody can decide any more; of an approved one, when it cannot be used any more."""
        return (self.decided or self.created) + self.expires_in


def new_id(place: str) -> str:
    """Return the id of a new approval at a place."""
    return place + token_hex(_NONCE_BYTES)


class Records:
    """The approvals of a deployment. With `seals`, they are sealed for their places."""

    def __init__(self, store: StateStore, sealer: Sealer, *, seals: bool) -> None:
        self.store = store
        self._sealer = sealer
        self._seals = seals

    async def read(self, place: str) -> tuple[bytes | None, Approval | None]:
        """Return the value in the store, and the approval in it; None if there is none or nobody can open it."""
        value = await self.store.get(_key(place))
        opened = self._sealer.unseal(value, place) if value is not None and self._seals else value
        if opened is None:
            return value, None
        content: dict[str, Any] = decode_json(opened)
        content.pop("version")
        lists = {name: tuple(content[name]) for name in ("upstream", "approvers")}
        return value, Approval(**{**content, **lists})

    async def write(self, place: str, current: bytes | None, approval: Approval | None) -> bytes | None:
        """Replace the value in the store, or delete it; return the new one, None if it is not the `current` one."""
        new = b"" if approval is None else self._encode(approval, place)
        lasts = STARTED_TIME if approval is None or approval.state == "started" else approval.expires_in
        replaced = await self.store.compare_and_set(_key(place), current, new or None, lasts)
        return new if replaced else None

    def _encode(self, approval: Approval, place: str) -> bytes:
        # The version makes each value different, so that a replica replaces only the one that it has read.
        encoded = encode_json({**asdict(approval), "version": token_hex(_NONCE_BYTES)})
        return self._sealer.seal(encoded, place) if self._seals else encoded

    async def waiting(self, now: float) -> list[str]:
        """Return the places of the calls that wait, the oldest first."""
        return [place for place, _, expires in decode_json(await self.store.get(_WAITING) or b"[]") if expires > now]

    async def add_waiting(self, place: str, caller: str, now: float, expires: float) -> None:
        """Count a call that waits; raise `TooManyApprovalsError` beyond the bounds."""

        def change(entries: list[list[Any]]) -> list[list[Any]]:
            others = [entry for entry in entries if entry[0] != place and entry[2] > now]
            own = sum(entry[1] == caller for entry in others)
            if len(others) >= MAX_WAITING or own >= MAX_WAITING_OF_CALLER:
                raise TooManyApprovalsError("too many calls wait for a decision; repeat the call later")
            return [*others, [place, caller, expires]]

        await self._change_waiting(change)

    async def remove_waiting(self, place: str) -> None:
        """Count a call no more."""
        await self._change_waiting(lambda entries: [entry for entry in entries if entry[0] != place])

    async def _change_waiting(self, change: Any) -> None:
        for _ in range(_MAX_ATTEMPTS):
            current = await self.store.get(_WAITING)
            changed = encode_json(change(decode_json(current or b"[]")))
            if await self.store.compare_and_set(_WAITING, current, changed):
                return
        raise TooManyApprovalsError("too many calls ask for a decision at once; repeat the call later")


def _key(place: str) -> str:
    return f"call:{place}"
