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
    """Replace a file, or a link, at once, so that it is never half written; raise `OSError`.

    It is on the disk when this returns, if the file system can ensure that. The superuser replaces it by a file of the
    same owner.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        _keep_owner(path, temporary)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _keep_owner(path: Path, temporary: str) -> None:
    """Let a file of another user be replaced by one of that user; only the superuser may do so."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and path.exists():
        old, new = path.stat(), os.stat(temporary)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.chown(temporary, old.st_uid, old.st_gid)


def _sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk."""
    # A folder without permission to read, and some file systems, do not allow it: the file is replaced all the same.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
