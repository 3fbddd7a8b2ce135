"""Tasks: kept in memory, bounded in count, size and time, and visible only to their callers."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import orjson

from adapter_host import encode_json

from .errors import TaskNotFoundError, TooManyTasksError
from .messages import State

ENDED: Final = frozenset({"TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"})

INPUT_REQUIRED: Final[State] = "TASK_STATE_INPUT_REQUIRED"

MAX_HISTORY: Final = 20
"""The messages of a task that are kept."""


class Task:
    """One task of a caller, who is its `owner`; `runner` is the call in progress."""

    def __init__(self, owner: str, context_id: str) -> None:
        self.id = str(uuid4())
        self.owner = owner
        self.context_id = context_id
        self.state: State = "TASK_STATE_SUBMITTED"
        self.status: dict[str, Any] = {}
        self.changed = datetime.now(UTC)
        self.artifacts: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = []
        self.runner: asyncio.Task[None] | None = None
        self.order = 0
        self.size = 0
        self.expires = 0.0
        self._listeners: list[asyncio.Queue[dict[str, Any]]] = []

    @property
    def is_interrupted(self) -> bool:
        """Whether nothing happens until the caller sends another message, or ever."""
        return self.state in ENDED or self.state == INPUT_REQUIRED

    def as_data(self, history_length: int | None = None, *, artifacts: bool = True) -> dict[str, Any]:
        """Return the task as JSON, with the last messages of its history."""
        length = MAX_HISTORY if history_length is None else history_length
        history = self.history[-length:] if length else []
        data: dict[str, Any] = {"id": self.id, "contextId": self.context_id, "status": self.status}
        if artifacts and self.artifacts:
            data["artifacts"] = self.artifacts
        if history:
            data["history"] = history
        return data

    def add_message(self, message: dict[str, Any]) -> None:
        """Add a message of the caller to the history."""
        self.history = [*self.history, message][-MAX_HISTORY:]

    def set_state(self, state: State, *parts: dict[str, Any]) -> None:
        """Set the state, with a message to the caller, and notify the listeners."""
        self.state, self.changed = state, datetime.now(UTC)
        timestamp = self.changed.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.status = {"state": state, "timestamp": timestamp}
        if parts:
            self.status["message"] = {
                "messageId": str(uuid4()),
                "contextId": self.context_id,
                "taskId": self.id,
                "role": "ROLE_AGENT",
                "parts": list(parts),
            }
        self._publish({"statusUpdate": {"taskId": self.id, "contextId": self.context_id, "status": self.status}})

    def add_part(self, part: dict[str, Any], *, last: bool = True) -> None:
        """Add a part to the only artifact, and notify the listeners.

        Raise `UpstreamInvalidError` for data that is nested too deeply.
        """
        # Encoded once, whatever number of responses it is in.
        encoded = orjson.Fragment(encode_json(part))
        is_first = not self.artifacts
        artifact = {"artifactId": f"{self.id}-result", "name": "result", "parts": [encoded]}
        if is_first:
            self.artifacts = [artifact]
        else:
            self.artifacts[0]["parts"].append(encoded)
        update = {"taskId": self.id, "contextId": self.context_id, "artifact": {**artifact, "parts": [encoded]}}
        self._publish({"artifactUpdate": {**update, "append": not is_first, "lastChunk": last}})

    def _publish(self, event: dict[str, Any]) -> None:
        for listener in self._listeners:
            listener.put_nowait(event)

    def listen(self) -> tuple[asyncio.Queue[dict[str, Any]], Callable[[], None]]:
        """Return a queue of the events from now on, and the function that ends it."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listeners.append(queue)
        return queue, lambda: self._listeners.remove(queue)


class TaskStore:
    """The tasks by their ids, in the order of their last change."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._size = 0
        self._changes = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def create(self, owner: str, context_id: str | None, most: int, most_bytes: int) -> Task:
        """Return a new task; drop the oldest ones that are not in progress if there are `most`, or too many bytes.

        Raise `TooManyTasksError` if all are in progress.
        """
        self._drop_expired()
        while len(self._tasks) >= most or self._size > most_bytes:
            if not self._drop_oldest():
                raise TooManyTasksError("the agent has too many tasks in progress; try again later")
        task = Task(owner, context_id or str(uuid4()))
        self._tasks[task.id] = task
        return task

    def find(self, task_id: str, owner: str) -> Task:
        """Return a task of a caller; raise `TaskNotFoundError`, also for a task of somebody else."""
        self._drop_expired()
        task = self._tasks.get(task_id)
        if task is None or task.owner != owner:
            raise TaskNotFoundError("task not found", taskId=task_id)
        return task

    def owned(self, owner: str) -> Iterator[Task]:
        """Yield the tasks of a caller, the last changed first."""
        self._drop_expired()
        return (task for task in reversed(self._tasks.values()) if task.owner == owner)

    def note_change(self, task: Task, seconds: float, most_bytes: int) -> None:
        """Note that a task has changed: it expires later, and others are dropped if all take too many bytes."""
        if task.id not in self._tasks:
            return
        self._changes += 1
        task.order = self._changes
        task.expires = self._clock() + seconds
        self._tasks.move_to_end(task.id)
        self._size -= task.size
        task.size = len(encode_json(task.as_data()))
        self._size += task.size
        while self._size > most_bytes and self._drop_oldest():
            pass

    def _drop_expired(self) -> None:
        now = self._clock()
        expired = []
        # The last changed ones expire last.
        for task in self._tasks.values():
            if task.is_interrupted and task.expires > now:
                break
            if task.is_interrupted:
                expired.append(task)
        for task in expired:
            self._drop(task)

    def _drop_oldest(self) -> bool:
        task = next((task for task in self._tasks.values() if task.is_interrupted), None)
        if task is not None:
            self._drop(task)
        return task is not None

    def _drop(self, task: Task) -> None:
        del self._tasks[task.id]
        self._size -= task.size
