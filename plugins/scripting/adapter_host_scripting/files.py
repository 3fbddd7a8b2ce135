"""The files of scripts: those below a location and no others, read when the document is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapter_host import Location, NotFoundError, RefusedError

MAX_BYTES: Final = 1024 * 1024

_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its name as the document has it, where it is, and what it says."""

    name: str
    path: str
    text: str


def read_source(folder: Path, name: str) -> Source:
    """A file below a folder; raises `ValueError` when it is outside, missing or no text."""
    segments = name.split("/")
    if not all(_SEGMENT.fullmatch(segment) and segment.strip(".") for segment in segments):
        message = "a script's path has names of letters, digits, '.', '_' and '-' with '/' between"
        raise ValueError(f"{message} (given {name!r})")
    try:
        raw = Location(folder, MAX_BYTES).read(name)
    except NotFoundError:
        location = f"in '{folder}'" if folder.is_dir() else f"as there is no folder '{folder}'"
        raise ValueError(
            f"there is no script '{name}' {location} (hidden files and links out of it are none)"
        ) from None
    except RefusedError as error:
        raise ValueError(f"'{name}': {error.message}") from None
    return Source(name, str(folder.joinpath(*segments)), _text(raw, name))


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise ValueError(f"'{name}' is not UTF-8") from None
