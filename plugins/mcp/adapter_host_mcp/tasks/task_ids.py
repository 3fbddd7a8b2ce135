"""Ids of tasks, which hold all that is needed to poll them: any replica with the same key can do it."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from adapter_host import Arguments, Sealer

MAX_ID: Final = 4096
"""Maximum characters of an id."""

_PURPOSE: Final = "mcp tasks"


@dataclass(frozen=True, slots=True)
class Task:
    """A task: the name of its tool, the arguments of the calls that poll and cancel it, and its times.

    `created` and `expires` are in seconds since 1970.
    """

    id: str
    tool: str
    arguments: Arguments
    created: float
    expires: float

    @property
    def seconds_left(self) -> float:
        """The seconds until it expires, at least 1."""
        return max(1.0, self.expires - time.time())

    @property
    def digest(self) -> str:
        """A digest of the id, for keys of the state store."""
        return sha256(self.id.encode()).hexdigest()


class TaskIds:
    """Seals and opens the ids of tasks: each can be opened for the caller that began the task, until it expires."""

    def __init__(self, key: bytes, namespace: str) -> None:
        self._sealer = Sealer([key], _PURPOSE)
        self._namespace = namespace

    def create(self, tool: str, arguments: Arguments, expires_in: float, principal: str) -> Task | None:
        """Return a new task; None if its arguments are too large for an id."""
        created = time.time()
        # A sealed value has a random nonce, so that no two tasks have the same id.
        content = orjson.dumps([tool, arguments, created, created + expires_in])
        sealed = self._sealer.seal(content, self._place(principal))
        task_id = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        return None if len(task_id) > MAX_ID else Task(task_id, tool, arguments, created, created + expires_in)

    def open(self, task_id: str, principal: str) -> Task | None:
        """Return the task of an id; None if it is forged, expired, or the task of another caller."""
        if len(task_id) > MAX_ID:
            return None
        try:
            sealed = base64.b64decode(task_id + "=" * (-len(task_id) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        content = self._sealer.unseal(sealed, self._place(principal))
        if content is None:
            return None
        members: list[Any] = orjson.loads(content)
        task = Task(task_id, *members)
        return task if time.time() < task.expires else None

    def _place(self, principal: str) -> str:
        return f"{self._namespace}:{principal}"
