"""The capability files that a host serves: their texts, and replacing them."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from adapter_host import Plan, read_regular_file, replace_regular_file

from .guard import RejectedError

if sys.platform != "win32":
    import fcntl

MAX_BYTES: Final = 1_000_000
"""Bytes of a file that can be edited."""

_MARK: Final = "\ufeff"
_NO_FILE: Final = "<capability>"
"""The name of a document without a file."""


class ConflictError(RejectedError):
    """The file on the disk is not the one that the text was made from."""

    def __init__(self, file: str) -> None:
        super().__init__(409, f"'{file}' has changed on the disk meanwhile; compare it again")


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file of a capability that is served; `refusal` is the reason if it cannot be edited here."""

    id: str
    file: str
    label: str
    refusal: str | None


@dataclass(frozen=True, slots=True)
class FileState:
    """A file on the disk: its text with line feeds, and a `version` that is equal for equal bytes only."""

    text: str
    version: str
    newline: str = "\n"
    mark: str = ""

    def encode(self, text: str) -> bytes:
        """Return the bytes of another text, with the line ends and the byte order mark of this file."""
        return (self.mark + text.replace("\n", self.newline)).encode()


def served_files(plans: Sequence[Plan]) -> list[ServedFile]:
    """Return the files of the capabilities that are served, in their order."""
    found = []
    for plan in plans:
        source = plan.loaded.source
        if source.file == _NO_FILE:
            continue
        refusal = "it is an OpenAPI document; import it as a capability to edit it" if source.converted_from else None
        file_id = sha256(source.file.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        found.append(ServedFile(file_id, source.file, plan.loaded.capability.label, refusal))
    return found


def read_file(file: str) -> FileState:
    """Return the state of a file; raise `RejectedError` if its text cannot be edited."""
    try:
        raw = read_regular_file(file, MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise RejectedError(409, f"cannot read '{file}': {_reason(error)}") from error
    if len(raw) > MAX_BYTES:
        raise RejectedError(413, f"'{file}' is larger than {MAX_BYTES:,} bytes; edit it elsewhere")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise RejectedError(409, f"'{file}' is not UTF-8; edit it elsewhere") from None
    bare = text.removeprefix(_MARK)
    mark = "" if bare == text else _MARK
    lines = bare.replace("\r\n", "\n")
    newline = "\n" if lines == bare else "\r\n"
    state = FileState(lines, _version(raw), newline, mark)
    if state.encode(lines) != raw or "\r" in lines:
        raise RejectedError(409, f"'{file}' has line ends of several kinds; edit it elsewhere")
    return state


def read_only_reason(file: str) -> str | None:
    """Return the reason if a file cannot be replaced, as far as it is known before."""
    target = Path(os.path.realpath(file))
    try:
        status = target.stat()
    except OSError as error:
        return _reason(error)
    # The superuser could write it, but its owner does not want that.
    if not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(target, os.W_OK):
        return "the file is read-only; change its permissions"
    if hasattr(os, "geteuid") and os.geteuid() not in (0, status.st_uid):
        return "the file belongs to another user; edit it as that user"
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return "its folder is read-only, and the file is replaced as a whole; change the permissions of the folder"
    return None


def replace_file(file: str, text: str, version: str) -> str:
    """Replace the text of a file at once, or that of the file that a link leads to; return its new version.

    Its mode stays. Raise `ConflictError` if its version is another one, and `RejectedError` if it cannot be written.
    """
    target = Path(os.path.realpath(file))
    try:
        with _locked(target.parent):
            state = read_file(file)
            if state.version != version:
                raise ConflictError(file)
            if (reason := read_only_reason(file)) is not None:
                raise RejectedError(409, f"cannot write '{file}': {reason}")
            data = state.encode(text)
            replace_regular_file(target, data, stat.S_IMODE(target.stat().st_mode))
    except OSError as error:
        raise RejectedError(409, f"cannot write '{file}': {_reason(error)}") from error
    return _version(data)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Exclude other editors from a folder, also those of other worker processes, which only POSIX has."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some file systems have no locks; the version is compared all the same.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _version(raw: bytes) -> str:
    return sha256(raw).hexdigest()


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or "unknown error").lower() if isinstance(error, OSError) else str(error)
