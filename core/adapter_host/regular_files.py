"""Read files without waiting for anything but the disk, and replace them at once."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from .restricted_reads import restricted_reads

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_regular_file(path: str | Path, limit: int, *, follow_link: bool = True) -> bytes:
    """Return at most `limit` bytes of a file; raise `OSError`, also for a pipe, socket or device.

    `open` would wait for the writer of a pipe, and reading a device may never end. Raise `ValueError` for a path with
    a NUL, with the same message in all versions of Python.
    """
    if "\0" in str(path):
        raise ValueError("a path cannot contain a NUL character")
    if (reads := restricted_reads()) is not None and (text := reads.text_of(path)) is not None:
        return text[:limit]
    flags = _FLAGS if follow_link else _FLAGS | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags), "rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file")
        return stream.read(limit)


def replace_regular_file(path: Path, data: bytes, mode: int) -> None:
    """Replace a file, or a link, at once, so that it is never half written; raise `OSError`."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
