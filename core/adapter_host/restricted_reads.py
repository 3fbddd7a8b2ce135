"""Restrict what is read while a document is loaded: for editors, where opening a file must not do more than that."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

_current: ContextVar[RestrictedReads | None] = ContextVar("adapter_host_restricted_reads", default=None)


@dataclass(frozen=True, slots=True)
class RestrictedReads:
    """Files are read in `folders` and below, links resolved; nothing is fetched, and sources of secrets are not read.

    `texts` are read in the place of files, by their real paths: those in the buffers of an editor.
    """

    folders: Sequence[Path] = ()
    texts: Mapping[Path, str] = field(default_factory=dict, repr=False)

    def text_of(self, path: str | Path) -> bytes | None:
        """Return the text in the place of a file, or None to read the file; raise `OSError` for one elsewhere."""
        real = Path(os.path.realpath(path))
        if (text := self.texts.get(real)) is not None:
            return text.encode()
        if not any(real.is_relative_to(os.path.realpath(folder)) for folder in self.folders):
            raise PermissionError(errno.EACCES, "it is outside of the workspace folder")
        return None


def restricted_reads() -> RestrictedReads | None:
    """Return the restrictions of the current context, or None without any."""
    return _current.get()


@contextmanager
def restrict_reads(reads: RestrictedReads) -> Iterator[None]:
    """Restrict what is read in the context."""
    token = _current.set(reads)
    try:
        yield
    finally:
        _current.reset(token)
