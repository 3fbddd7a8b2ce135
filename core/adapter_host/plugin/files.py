"""Files that a document serves: those below one place and no others, read when they are asked for."""

from __future__ import annotations

import logging
import mimetypes
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import unquote

from adapter_host.errors import NotFoundError, RefusedError

log = logging.getLogger("adapter_host")

_MEDIA_TYPES: Final = {
    ".jsonl": "application/jsonl",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".toml": "application/toml",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
"""What Python's own list lacks, or has otherwise."""


def guess_media_type(path: str) -> str | None:
    """The media type that a file's name says, the same on every machine; None when it says none."""
    return _media_types().guess_type(path)[0]


@dataclass(frozen=True, slots=True)
class LocatedFile:
    """One file of a `Location`: its path there ("" when it is the location itself), and what is known of it unread.

    `size` is in bytes, `modified` in nanoseconds since 1970.
    """

    path: str
    size: int
    modified: int = 0
    executable: bool = False


class Location:
    """What a `location` of a document names: a file, or a folder of files.

    Nothing hidden, nothing outside the folder and nothing other than a plain file is ever given, whatever is asked for
    and wherever links lead. Files are looked for when they are asked for. `limit`, in bytes, is the most that is read
    of one. Every method waits for the disk: from an event loop, call them in a thread.
    """

    MOST: ClassVar[int] = 10_000
    """The files of one folder that are listed."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit

    def exists(self) -> bool:
        """Whether there is anything at all."""
        return self._path.exists()

    def is_folder(self) -> bool:
        """Whether there is a folder."""
        return self._path.is_dir()

    def files(self) -> list[LocatedFile]:
        """Every file in it, in order; a folder's first `MOST`, with a warning in the log."""
        files: list[LocatedFile] = []
        for file in self._walk():
            if len(files) == self.MOST:
                log.warning("%s: only the first %d files are listed", self._path, self.MOST)
                break
            files.append(file)
        return files

    def _walk(self) -> Iterator[LocatedFile]:
        for path in chain([""], self._relative_paths()):
            try:
                status = self._resolve(path).stat()
            except (NotFoundError, OSError):
                continue
            yield LocatedFile(path, status.st_size, status.st_mtime_ns, bool(status.st_mode & stat.S_IXUSR))

    def _relative_paths(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self._path):
            folders[:] = sorted(name for name in folders if _is_allowed(name))
            parent = Path(folder).relative_to(self._path)
            yield from ((parent / name).as_posix() for name in sorted(names))

    def has(self, path: str) -> bool:
        """Whether there is a file to read at a path below it."""
        try:
            self._resolve(path)
        except NotFoundError:
            return False
        return True

    def read(self, path: str = "") -> bytes:
        """The bytes of the file at a path below it; raises `NotFoundError`, and `RefusedError` beyond the limit."""
        resolved = self._resolve(path)
        try:
            body = _read(resolved, self._limit + 1)
        except OSError as error:
            raise NotFoundError("there is no such file") from error
        if len(body) > self._limit:
            raise RefusedError(f"the file is larger than {self._limit} bytes")
        return body

    def _resolve(self, path: str) -> Path:
        segments = path.split("/") if path else []
        if not all(map(_is_allowed, segments)):
            raise NotFoundError("there is no such file")
        try:
            root = self._path.resolve(strict=True)
            resolved = root.joinpath(*segments).resolve(strict=True)
            # Once more after links were followed: one within the folder may lead to something hidden in it.
            is_inside = resolved.is_relative_to(root) and all(map(_is_allowed, resolved.relative_to(root).parts))
            if is_inside and resolved.is_file():
                return resolved
        except (OSError, RuntimeError, ValueError) as error:
            raise NotFoundError("there is no such file") from error
        raise NotFoundError("there is no such file")


def parse_location(location: str, document: str) -> Path:
    """The path of a `file:` URI; with `./` it is relative to the document. Raises `ValueError`."""
    scheme, _, rest = location.partition("://")
    path = unquote(rest.removeprefix("localhost") if rest.startswith("localhost/") else rest)
    relative = path.removeprefix("/") if path.startswith("/./") else path
    if scheme != "file" or not path.startswith(("/", "./")) or "\0" in path:
        raise ValueError(f"'location' must be file:///path or file:///./path (given {location!r})")
    if relative.startswith("./"):
        return Path(document).parent / relative
    if not path.strip("/"):
        raise ValueError(f"'location' names no file or folder (given {location!r})")
    return Path(path)


def _is_allowed(segment: str) -> bool:
    if not segment or segment.startswith(".") or any(character in segment for character in "/\\\0"):
        return False
    return not any("\ud800" <= character <= "\udfff" for character in segment)


def _read(path: Path, limit: int) -> bytes:
    # What was a file when it was looked at may be a link or a pipe by now: neither is followed nor waited for.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError("not a plain file")
        return stream.read(limit)


@cache
def _media_types() -> mimetypes.MimeTypes:
    # Not the system's own lists: what a client is told must not depend on the machine.
    types = mimetypes.MimeTypes()
    for suffix, media_type in _MEDIA_TYPES.items():
        types.add_type(media_type, suffix)
    return types
