"""Reads script files below a location when the document is loaded."""

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
    """One script file: its name in the document, its path and its text."""

    name: str
    path: str
    text: str


def read_source(folder: Path, name: str) -> Source:
    """Read a file below a folder; raises `ValueError` if it is outside, missing or not text."""
    segments = name.split("/")
    if not all(_SEGMENT.fullmatch(segment) and segment.strip(".") for segment in segments):
        raise ValueError(f"invalid script path {name!r}; use letters, digits, '.', '_' and '-', separated by '/'")
    try:
        raw = Location(folder, MAX_BYTES).read(name)
    except NotFoundError:
        if not folder.is_dir():
            raise ValueError(f"script '{name}' not found; folder '{folder}' does not exist") from None
        hint = "hidden files and links that leave the folder are ignored"
        raise ValueError(f"script '{name}' not found in '{folder}'; {hint}") from None
    except RefusedError as error:
        raise ValueError(f"'{name}': {error.message}") from None
    return Source(name, str(folder.joinpath(*segments)), _text(raw, name))


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise ValueError(f"'{name}' is not UTF-8") from None
