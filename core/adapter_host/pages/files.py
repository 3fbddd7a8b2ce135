"""The files that browsers load for a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass(frozen=True, slots=True)
class BrowserFile:
    """The content of a file, and its `Content-Type`."""

    body: bytes
    content_type: str


def read_browser_files(folder: Traversable) -> dict[str, BrowserFile]:
    """Return the styles, scripts and images in a folder, by their path below it."""
    return dict(_files(folder, ""))


def shared_browser_files() -> dict[str, BrowserFile]:
    """Return the files that pages with scripts share; serve them beside your own, in the same folder.

    `style.css` and `operations.css` are the style. `elements.js` has the small elements, `form.js` the form for a JSON
    Schema, `schema.js` its description, `rows.js` the list with a search, and `shell.js` curl commands.
    """
    return read_browser_files(resources.files(__package__).joinpath("static"))


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, BrowserFile]]:
    for file in folder.iterdir():
        if file.is_dir():
            yield from _files(file, f"{path}{file.name}/")
        elif content_type := _TYPES.get(file.name[file.name.rfind(".") :]):
            yield f"{path}{file.name}", BrowserFile(file.read_bytes(), f"{content_type}; charset=utf-8")
