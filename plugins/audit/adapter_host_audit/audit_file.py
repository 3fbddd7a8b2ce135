"""The file of the audit log: JSON lines, each written by one system call before the caller gets a response."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, Final

from adapter_host import encode_json

_LOG: Final = logging.getLogger("adapter_host.audit")
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class AuditFile:
    """Appends records; it opens the file again when it was moved, and after a failure.

    A record that is written survives the end of the process, as the system holds it; not that of the machine.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._is_in_line = False
        self._failing = False

    def open(self) -> None:
        """Open the file, if it is not open at its path; raise `OSError`."""
        if self._descriptor is not None and not self._is_moved(self._descriptor):
            return
        self._close()
        self._descriptor = os.open(self._path, _FLAGS, 0o600)

    async def close(self) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def is_available(self) -> bool:
        """Return whether records can be written, as far as it is known."""
        if self._failing:
            # An empty line is no record, and shows whether there is space again.
            self._failing = not self._append(b"\n")
        return not self._failing

    def write(self, record: Mapping[str, Any]) -> bool:
        """Append a record; return whether all of it was written."""
        written = self._append(encode_json(record) + b"\n")
        if written == self._failing:
            log = _LOG.warning if written else _LOG.error
            log("the audit log %s", "is written again" if written else "cannot be written")
        self._failing = not written
        return written

    def _append(self, line: bytes) -> bool:
        try:
            self.open()
            assert self._descriptor is not None
            # A record that was cut off must not spoil the next one.
            data = b"\n" + line if self._is_in_line else line
            written = os.write(self._descriptor, data)
        except OSError as error:
            _LOG.debug("cannot write the audit log: %s", error.strerror)
            return False
        self._is_in_line = 0 < written < len(data)
        return written == len(data)

    def _is_moved(self, descriptor: int) -> bool:
        try:
            there = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return True
        own = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino)
