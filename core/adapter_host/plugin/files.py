"""Files that a document serves: only those below one location, read on request."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import ClassVar, Final, ParamSpec, TypeVar
from urllib.parse import unquote

from adapter_host.daemon_threads import DaemonThreads
from adapter_host.errors import NotFoundError, RefusedError, UnavailableError
from adapter_host.regular_files import read_regular_file

log = logging.getLogger("adapter_host")

ArgumentsT = ParamSpec("ArgumentsT")
ReturnedT = TypeVar("ReturnedT")

_MEDIA_TYPES: Final = {
    ".jsonl": "application/jsonl",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".toml": "application/toml",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
"""Media types that `mimetypes` lacks or defines differently."""


def guess_media_type(path: str) -> str | None:
    """Return the media type of a file name, the same on every machine; None when unknown."""
    return _media_types().guess_type(path)[0]


@dataclass(frozen=True, slots=True)
class LocatedFile:
    """One file of a `Location`: its relative path ("" when it is the location itself) and its metadata.

    `size` is in bytes, `modified` in nanoseconds since 1970.
    """

    path: str
    size: int
    modified: int = 0
    executable: bool = False


class Location:
    """The `location` in a document: a file, or a folder of files.

    Hidden files, files outside the folder and anything but plain files are never returned, for any path and any
    symbolic link. Files are read on request. `limit` is the maximum size of a file, in bytes. Every other method blocks
    on the disk: call it by `in_thread` from an event loop.
    """

    MOST: ClassVar[int] = 10_000
    """The maximum number of listed files."""

    THREADS: ClassVar[int] = 4
    """The maximum number of threads that read files of one location at a time."""

    TIMEOUT: ClassVar[float] = 10.0
    """Seconds that one access may take."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._threads = DaemonThreads(self.THREADS)

    async def in_thread(
        self, function: Callable[ArgumentsT, ReturnedT], *args: ArgumentsT.args, **kwargs: ArgumentsT.kwargs
    ) -> ReturnedT:
        """Run a function that reads these files in a thread; raise `UnavailableError` if the disk is too slow."""
        try:
            async with asyncio.timeout(self.TIMEOUT):
                return await self._threads.run(function, *args, **kwargs)
        except TimeoutError:
            log.warning("%s: cannot be read within %g s", self._path, self.TIMEOUT)
            raise UnavailableError("the files cannot be read in time") from None

    def exists(self) -> bool:
        """Return whether the file or folder exists."""
        return self._path.exists()

    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return self._path.is_dir()

    def files(self) -> list[LocatedFile]:
        """Return the files in order; of a large folder the first `MOST`, with a warning in the log."""
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
        """Return whether a file exists at a path below it."""
        try:
            self._resolve(path)
        except NotFoundError:
            return False
        return True

    def read(self, path: str = "") -> bytes:
        """Return the bytes of a file; raise `NotFoundError`, or `RefusedError` beyond the limit."""
        resolved = self._resolve(path)
        try:
            # Since the check, the file may have become a link or a pipe.
            body = read_regular_file(resolved, self._limit + 1, follow_link=False)
        except OSError as error:
            raise NotFoundError("file not found") from error
        if len(body) > self._limit:
            raise RefusedError(f"the file is larger than {self._limit} bytes")
        return body

    def _resolve(self, path: str) -> Path:
        segments = path.split("/") if path else []
        if not all(map(_is_allowed, segments)):
            raise NotFoundError("file not found")
        try:
            root = self._path.resolve(strict=True)
            resolved = root.joinpath(*segments).resolve(strict=True)
            # Check again with symbolic links resolved: a link may lead to a hidden file in the folder.
            is_inside = resolved.is_relative_to(root) and all(map(_is_allowed, resolved.relative_to(root).parts))
            if is_inside and resolved.is_file():
                return resolved
        except (OSError, RuntimeError, ValueError) as error:
            raise NotFoundError("file not found") from error
        raise NotFoundError("file not found")


def parse_location(location: str, document: str) -> Path:
    """Return the path of a `file:` URI, `./` relative to the document; raise `ValueError`."""
    scheme, _, rest = location.partition("://")
    path = unquote(rest.removeprefix("localhost") if rest.startswith("localhost/") else rest)
    relative = path.removeprefix("/") if path.startswith("/./") else path
    if scheme != "file" or not path.startswith(("/", "./")) or "\0" in path:
        raise ValueError(f"'location' must be file:///path or file:///./path (given {location!r})")
    if relative.startswith("./"):
        return Path(document).parent / relative
    if not path.strip("/"):
        raise ValueError(f"'location' has no path (given {location!r})")
    return Path(path)


def _is_allowed(segment: str) -> bool:
    if not segment or segment.startswith(".") or any(character in segment for character in "/\\\0"):
        return False
    return not any("\ud800" <= character <= "\udfff" for character in segment)


@cache
def _media_types() -> mimetypes.MimeTypes:
    # Without the lists of the system: responses must not depend on the machine.
    types = mimetypes.MimeTypes()
    for suffix, media_type in _MEDIA_TYPES.items():
        types.add_type(media_type, suffix)
    return types
