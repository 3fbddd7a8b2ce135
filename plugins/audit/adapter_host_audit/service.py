"""The audit log for other plugins of the host: its newest records, and records of events that are no calls."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from adapter_host import AuditService, AuditTrail, InternalError, UnavailableError, current_call, decode_json

from .audit_log import AuditLog
from .recording import head

MAX_READ: Final = 1024 * 1024
"""Bytes of the end of the file that are read."""

MAX_NEWEST: Final = 2000
"""Records that are returned; older ones are left out."""

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class LogService(AuditService):
    """The audit log, with its file at `path` if it has one. With `must_record`, nothing may happen without a record."""

    def __init__(self, path: str | None, log: AuditLog, *, must_record: bool) -> None:
        self._path = path
        self._log = log
        self._must_record = must_record
        self._read: tuple[tuple[int, ...], AuditTrail] | None = None

    def check(self) -> None:
        """Raise `UnavailableError` while records must be written, and cannot be."""
        if self._must_record and not self._log.is_available():
            raise UnavailableError("the audit log cannot be written")

    def record(self, event: str, members: Mapping[str, Any]) -> None:
        """Write the record of an event."""
        written = self._log.write({**head(current_call()), "event": event, **members})
        if not written and self._must_record:
            raise InternalError(f"the {event} was made, but it cannot be recorded")

    def newest(self) -> AuditTrail:
        """Return the newest records of the file; those of before a rotation are in another one."""
        if self._path is None:
            # A collector has them.
            return AuditTrail((), is_complete=False)
        try:
            with open(os.open(self._path, _FLAGS), "rb") as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(errno.EINVAL, "it is not a regular file")
                state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
                if self._read is None or self._read[0] != state:
                    start = max(0, status.st_size - MAX_READ)
                    stream.seek(start)
                    self._read = state, _parse(stream.read(MAX_READ), is_whole=start == 0)
                return self._read[1]
        except FileNotFoundError:
            # It was moved, and the next record creates it.
            return AuditTrail((), is_complete=True)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise UnavailableError(f"the audit log cannot be read: {reason}") from error


def _parse(data: bytes, *, is_whole: bool) -> AuditTrail:
    """Return the records of the end of a file; the first line is a part of one, and the last may be."""
    lines = data.split(b"\n")[0 if is_whole else 1 : -1]
    records = [record for line in lines[-MAX_NEWEST:] if isinstance(record := _record(line), dict)]
    return AuditTrail(records, is_complete=is_whole and len(lines) <= MAX_NEWEST)


def _record(line: bytes) -> Any:
    try:
        return decode_json(line)
    except ValueError:
        # A record that was cut off by a full disk, or the empty line after it.
        return None
