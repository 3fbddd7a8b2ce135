"""The paths of the pages that describe the API, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, Literal

from adapter_host import BrowserFile, read_browser_files, shared_browser_files

Docs = Literal["try", "read", "none"]
"""The values of `x-docs`."""

DOCUMENT: Final = "openapi.json"
APPLICATION: Final = "docs"
"""The page with search and, unless it is for reading, a form for each operation."""
READING: Final = "docs/read"
"""The page without scripts."""
FILES: Final = "docs/"
"""The files of the application are below it."""
HOME: Final = ""
"""The root, which only browsers get."""


def page_paths(docs: Docs) -> frozenset[str]:
    """Return the paths of all pages."""
    always = {DOCUMENT, HOME}
    return frozenset(always if docs == "none" else {*always, READING, *application_paths()})


def application_paths() -> frozenset[str]:
    """Return the paths of the application and its files, which contain nothing of an exposer."""
    return frozenset({APPLICATION, *application_files()})


@cache
def application_files() -> Mapping[str, BrowserFile]:
    """Return the files of the application, by path."""
    own = read_browser_files(resources.files(__package__).joinpath("docs", "static"))
    return {f"{FILES}{name}": file for name, file in {**shared_browser_files(), **own}.items()}
