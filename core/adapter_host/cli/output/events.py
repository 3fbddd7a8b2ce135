"""Text of the command on standard error, which is no part of the log: with a JSON log, it becomes lines of JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from adapter_host.errors import Problem

from .escapes import to_json

LOGGER = "adapter_host"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a JSON log: a message, and its facts as members."""

    message: str
    level: str = "info"
    members: Mapping[str, Any] = field(default_factory=dict)

    def line(self, own: Mapping[str, Any]) -> str:
        """Return the line, with the members `own` of the process."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = {"time": now, "level": self.level, "logger": LOGGER, "message": self.message}
        return to_json({**head, **own, **self.members})


@runtime_checkable
class EventStream(Protocol):
    """Standard error while the log is JSON."""

    def put_event(self, event: Event) -> None:
        """Write the line of an event."""


def announce(text: str, events: Iterable[Event]) -> None:
    """Print a text on standard error; write its events instead while the log is JSON."""
    stream = sys.stderr
    if isinstance(stream, EventStream):
        for event in events:
            stream.put_event(event)
    else:
        print(text, file=stream, flush=True)


def problem_event(problem: Problem) -> Event:
    """Return the event of a problem of a document."""
    members: dict[str, Any] = {"code": problem.code}
    if problem.file:
        members["file"] = problem.file
    if problem.line:
        members |= {"line": problem.line, "column": problem.column}
    return Event(problem.message, "warning" if problem.warning else "error", members)
