"""The audit log: everything that records are written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Sink(Protocol):
    """Something that records are written to."""

    def open(self) -> None:
        """Prepare to write; raise `OSError`."""

    async def close(self) -> None:
        """Write the records that are left, within a few seconds, and free resources."""

    def is_available(self) -> bool:
        """Return whether records can be written, as far as it is known."""

    def write(self, record: Mapping[str, Any]) -> bool:
        """Write a record, or accept it for a later moment; return whether this has succeeded."""


class AuditLog:
    """Writes each record to all of its sinks."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)

    def open(self) -> None:
        """Open all sinks; raise `OSError`."""
        for sink in self._sinks:
            sink.open()

    async def close(self) -> None:
        """Close all sinks."""
        for sink in self._sinks:
            await sink.close()

    def is_available(self) -> bool:
        """Return whether records can be written to all sinks."""
        return all(sink.is_available() for sink in self._sinks)

    def write(self, record: Mapping[str, Any]) -> bool:
        """Write a record to all sinks; return whether all have succeeded."""
        written = True
        for sink in self._sinks:
            # Also after the failure of another one.
            written = sink.write(record) and written
        return written
