"""Read OpenAPI documents from files and URLs, and resolve their references."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin

from adapter_host.document.messages import describe_type
from adapter_host.document.nodes import Loc
from adapter_host.errors import AdapterHostError, Problem, ProblemsError
from adapter_host.openapi.model import Place

from .fetch import Fetcher, origin_of
from .overlay import Overlay
from .reading import Document, is_url, read_document
from .warnings import WarningCollector, pointer

MAX_VALUES: Final = 2_000_000
"""The maximum number of values that are read, each as often as it is referred to."""
MAX_TEXT: Final = 100_000_000
"""The maximum number of characters in texts, each as often as it is referred to."""
MAX_REFERENCES: Final = 100
"""The maximum number of references that lead to one another."""

_LONGEST_INDEX: Final = 10
_LONGEST_REFERENCE: Final = 2000

_OVERRIDING: Final = ("summary", "description")


class ReferenceNotFollowedError(AdapterHostError):
    """A reference cannot be resolved; the message has the reason."""


@dataclass(slots=True)
class Documents:
    """An OpenAPI document and the documents that it refers to.

    Files must be in the folder of the first one, or in one of `folders`. References to URLs must stay on the origin of
    the first one, if that is a URL, and on those of `fetcher`.
    """

    warnings: WarningCollector
    fetcher: Fetcher = field(default_factory=Fetcher)
    folders: Sequence[Path] = ()
    overlays: Sequence[str] = ()
    """Files of overlays, which are applied to the first document in order."""
    _read: dict[str, Document] = field(default_factory=dict)
    _count: int = 0
    _characters: int = 0
    memo: dict[tuple[str, str, Loc], Any] = field(default_factory=dict)
    """Results of reading a value, by the kind of the result and the identity of the value."""

    def open(self, source: str) -> Cursor:
        """Return the root of the document at a path or URL; raise `ProblemsError`."""
        if not is_url(source):
            self.folders = [_real_path(folder) for folder in (Path(source).parent, *self.folders)]
            source = str(Path(source))
        document = read_document(source, self.fetcher.fetch_first)
        for overlay in self.overlays:
            document = Overlay.read(overlay).apply(document, self.warnings)
        return self.add(document)

    def add(self, document: Document) -> Cursor:
        """Return the root of a document that has been read."""
        self._read[document.name] = document
        return Cursor(self, document, (), document.data)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that have been read."""
        return (*(name for name in self._read if not is_url(name)), *self.overlays)

    def _document(self, name: str) -> Document:
        if name not in self._read:
            self._read[name] = read_document(name, self.fetcher.fetch)
        return self._read[name]

    def resolve(self, cursor: Cursor) -> Cursor | None:
        """Return the value with references followed; warn and return None if that fails."""
        self._check_count(cursor)
        first, visited = cursor, set[tuple[str, Loc]]()
        own: dict[str, Any] = {}
        while isinstance(cursor.value, dict) and isinstance(reference := cursor.value.get("$ref"), str):
            own = {**{key: cursor.value[key] for key in _OVERRIDING if key in cursor.value}, **own}
            if cursor.identity in visited:
                first.warn(f"the reference '{reference}' is circular; skipped")
                return None
            if len(visited) == MAX_REFERENCES:
                first.warn(f"more than {MAX_REFERENCES} references lead to one another; skipped")
                return None
            visited.add(cursor.identity)
            try:
                cursor = self._reference_target(cursor, reference)
            except (ReferenceNotFollowedError, ProblemsError) as error:
                first.warn(f"the reference '{reference}' cannot be resolved: {error}")
                return None
        if own and isinstance(cursor.value, dict):
            return Cursor(cursor.documents, cursor.document, cursor.loc, {**cursor.value, **own})
        return cursor

    def next_target(self, cursor: Cursor) -> Cursor:
        """Return the value that the reference at a cursor names, whose own reference is not followed.

        The reference is one that `resolve` can follow.
        """
        return self._reference_target(cursor, cursor.value["$ref"])

    def _check_count(self, cursor: Cursor) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            message = f"more than {MAX_VALUES:,} values with references followed; import a part of it with --only"
            raise ProblemsError([Problem(message, cursor.document.name, code="too-many-values")])

    def count_text(self, cursor: Cursor, characters: int) -> None:
        """Count characters that are read or written; raise `ProblemsError` if they are too many."""
        self._characters += characters
        if self._characters > MAX_TEXT:
            message = f"more than {MAX_TEXT:,} characters with references followed; import a part of it with --only"
            raise ProblemsError([Problem(message, cursor.document.name, code="too-large")])

    def _reference_target(self, cursor: Cursor, reference: str) -> Cursor:
        if len(reference) > _LONGEST_REFERENCE:
            raise ReferenceNotFollowedError(f"it is longer than {_LONGEST_REFERENCE:,} characters")
        name, _, fragment = reference.partition("#")
        document = self._document(self._resolve_name(cursor.document.name, name)) if name else cursor.document
        loc, value = _find_pointer(document.data, unquote(fragment))
        return Cursor(self, document, loc, value)

    def _resolve_name(self, base: str, name: str) -> str:
        if is_url(base) or is_url(name):
            try:
                return self._remote(urljoin(base, name) if is_url(base) else name)
            except ValueError as error:
                raise ReferenceNotFollowedError("it is not a URL") from error
        try:
            path = _real_path(Path(base).parent / unquote(name))
        except (OSError, ValueError) as error:
            raise ReferenceNotFollowedError("it is not the name of a file") from error
        if not any(path.is_relative_to(folder) for folder in self.folders):
            raise ReferenceNotFollowedError("it is outside the document's folder; add --reference-folder")
        return str(path)

    def _remote(self, url: str) -> str:
        origin = origin_of(url)
        if origin is None:
            raise ValueError(url)
        if not self.fetcher.allows(url):
            raise ReferenceNotFollowedError(f"{origin} is not an allowed host; add --allow-host")
        return url


def _real_path(path: str | Path) -> Path:
    """Return the path without links; one in a loop of links stays (`Path.resolve` raises, up to Python 3.12)."""
    return Path(os.path.realpath(path))


def _find_pointer(data: Any, fragment: str) -> tuple[Loc, Any]:
    if fragment and not fragment.startswith("/"):
        return _find_anchor(data, fragment)
    loc: Loc = ()
    for escaped in fragment.split("/")[1:]:
        key = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict) and key in data:
            loc, data = (*loc, key), data[key]
        elif isinstance(data, list) and key.isdecimal() and len(key) < _LONGEST_INDEX and int(key) < len(data):
            loc, data = (*loc, int(key)), data[int(key)]
        else:
            raise ReferenceNotFollowedError("target not found")
    return loc, data


def _find_anchor(data: Any, name: str) -> tuple[Loc, Any]:
    """Return the schema with an anchor, the first in the document."""
    remaining: list[tuple[Loc, Any]] = [((), data)]
    while remaining:
        loc, value = remaining.pop()
        if isinstance(value, dict):
            if name in (value.get("$anchor"), value.get("$dynamicAnchor")):
                return loc, value
            remaining += [((*loc, key), item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            remaining += [((*loc, index), value[index]) for index in reversed(range(len(value)))]
    raise ReferenceNotFollowedError("target not found")


@dataclass(frozen=True, slots=True, eq=False)
class Cursor:
    """A value and its location; the methods that descend from it follow references."""

    documents: Documents
    document: Document
    loc: Loc
    value: Any

    @property
    def identity(self) -> tuple[str, Loc]:
        """The document and location."""
        return self.document.name, self.loc

    @property
    def place(self) -> Place:
        """File, line, column and JSON pointer."""
        return Place(self.document.position_of(self.loc), pointer(self.loc))

    def warn(self, message: str) -> None:
        """Warn that this value is skipped or changed."""
        self.documents.warnings.add(self.document.position_of(self.loc), self.loc, message)

    def get(self, key: str) -> Cursor | None:
        """Return the value of a key, references followed, or None."""
        return self._child(key, self.value[key]) if isinstance(self.value, dict) and key in self.value else None

    def _child(self, key: str | int, value: Any) -> Cursor | None:
        return self.documents.resolve(Cursor(self.documents, self.document, (*self.loc, key), value))

    def raw(self, *keys: str | int) -> Cursor:
        """Return the value at keys that exist, its references not followed."""
        value = self.value
        for key in keys:
            value = value[key]
        return Cursor(self.documents, self.document, (*self.loc, *keys), value)

    def target(self, reference: str) -> Cursor | None:
        """Return the value that a reference of this one leads to; warn and return None if that fails."""
        return self.documents.resolve(Cursor(self.documents, self.document, self.loc, {"$ref": reference}))

    def mapping(self, key: str) -> Cursor | None:
        """Return the mapping at a key; warn about other types."""
        return self._of_kind(key, dict, "a mapping")

    def named(self, key: str) -> Iterator[tuple[str, Cursor]]:
        """Yield names and values of the mapping at a key."""
        mapping = self.mapping(key)
        if mapping is not None:
            yield from mapping.children()

    def children(self) -> Iterator[tuple[str, Cursor]]:
        """Yield names and values of this mapping."""
        for name, value in self.value.items():
            child = self._child(name, value)
            if child is not None:
                yield name, child

    def elements(self, key: str) -> Iterator[Cursor]:
        """Yield the items of the list at a key."""
        sequence = self._of_kind(key, list, "a list")
        for index, value in enumerate(sequence.value if sequence else ()):
            child = sequence._child(index, value) if sequence else None
            if child is not None:
                yield child

    def text(self, key: str) -> str | None:
        """Return the text at a key, stripped; None if it is empty."""
        child = self._of_kind(key, str, "text")
        if child is None:
            return None
        self.count_text(len(child.value))
        return child.value.strip() or None

    def count_text(self, characters: int) -> None:
        """Count characters of texts; raise `ProblemsError` if they are too many."""
        self.documents.count_text(self, characters)

    def flag(self, key: str) -> bool:
        """Return True if the value of a key is true."""
        return isinstance(self.value, dict) and self.value.get(key) is True

    def _of_kind(self, key: str, kind: type, expected: str) -> Cursor | None:
        child = self.get(key)
        if child is None or child.value is None:
            return None
        if not isinstance(child.value, kind):
            child.warn(f"expected {expected}, not {describe_type(child.value)}; skipped")
            return None
        return child
