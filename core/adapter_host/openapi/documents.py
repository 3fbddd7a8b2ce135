"""Read OpenAPI documents from files and URLs, and resolve their references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

import orjson
import yaml

from adapter_host.document.messages import describe_type
from adapter_host.document.nodes import Loc, Node, Position
from adapter_host.document.yaml_reader import LOADER, read_nodes
from adapter_host.errors import AdapterHostError, Problem, ProblemsError

from .fetch import FetchError, fetch
from .warnings import WarningCollector

MAX_BYTES: Final = 32 * 1024 * 1024


_OVERRIDING: Final = ("summary", "description")


class ReferenceNotFollowedError(AdapterHostError):
    """A reference cannot be resolved; the message has the reason."""


def is_url(text: str) -> bool:
    """Return True for a URL, False for a path."""
    return text.lower().startswith(("http://", "https://"))


class _TextKeys(LOADER):  # type: ignore[misc]  # PyYAML's loader, with or without libyaml, is chosen at run time
    """A loader that reads plain keys as text, such as the response code `200:`."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        # For each open collection: None for a sequence, else True if a key comes next.
        self._key_next: list[bool | None] = []

    def get_event(self) -> Any:
        event = super().get_event()
        if isinstance(event, yaml.CollectionEndEvent):
            self._key_next.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._track_keys(event)
        return event

    def _track_keys(self, event: Any) -> None:
        is_key = bool(self._key_next) and self._key_next[-1]
        if self._key_next and self._key_next[-1] is not None:
            self._key_next[-1] = not is_key
        if isinstance(event, yaml.CollectionStartEvent):
            self._key_next.append(True if isinstance(event, yaml.MappingStartEvent) else None)
        elif is_key and isinstance(event, yaml.ScalarEvent):
            event.implicit = (False, True)


@dataclass(frozen=True, slots=True)
class Document:
    """A document; `root` has the lines if it is YAML."""

    name: str
    data: Any
    root: Node | None = None

    def position_of(self, loc: Loc) -> Position:
        """Return file, line and column of the value at `loc`."""
        node = self.root
        if node is None:
            return self.name, 0, 0
        for key in loc:
            child = node.child(key)
            if child is None:
                break
            node = child
        return node.position


@dataclass(slots=True)
class Documents:
    """An OpenAPI document and the documents that it refers to.

    Files must be in the folder of the first one; URLs need `remote`, and references of a URL's document must stay on
    its origin.
    """

    warnings: WarningCollector
    remote: bool = False
    _read: dict[str, Document] = field(default_factory=dict)
    _folder: Path | None = None
    _origin: tuple[str, str] | None = None

    def open(self, source: str) -> Cursor:
        """Return the root of the document at a path or URL; raise `ProblemsError`."""
        if is_url(source):
            url_parts = urlsplit(source)
            self._origin = url_parts.scheme.lower(), url_parts.netloc.lower()
            name = source
        else:
            name = str(Path(source))
            self._folder = Path(source).resolve().parent
        return Cursor(self, self._document(name), (), self._document(name).data)

    def _document(self, name: str) -> Document:
        if name not in self._read:
            self._read[name] = parse(_read_url(name) if is_url(name) else _read_file(name), name)
        return self._read[name]

    def resolve(self, cursor: Cursor) -> Cursor | None:
        """Return the value with references followed; warn and return None if that fails."""
        first, visited = cursor, set[tuple[str, Loc]]()
        own: dict[str, Any] = {}
        while isinstance(cursor.value, dict) and isinstance(reference := cursor.value.get("$ref"), str):
            own = {**{key: cursor.value[key] for key in _OVERRIDING if key in cursor.value}, **own}
            if cursor.identity in visited:
                first.warn(f"the reference '{reference}' is circular; skipped")
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

    def _reference_target(self, cursor: Cursor, reference: str) -> Cursor:
        name, _, fragment = reference.partition("#")
        document = self._document(self._resolve_name(cursor.document.name, name)) if name else cursor.document
        loc, value = _find_pointer(document.data, unquote(fragment))
        return Cursor(self, document, loc, value)

    def _resolve_name(self, base: str, name: str) -> str:
        if is_url(base) or is_url(name):
            return self._remote(urljoin(base, name) if is_url(base) else name)
        path = (Path(base).parent / unquote(name)).resolve()
        if self._folder is None or not path.is_relative_to(self._folder):
            raise ReferenceNotFollowedError("it is outside the document's folder")
        return str(path)

    def _remote(self, url: str) -> str:
        url_parts = urlsplit(url)
        if not self.remote:
            raise ReferenceNotFollowedError("it is remote; use --allow-remote")
        if self._origin is not None and (url_parts.scheme.lower(), url_parts.netloc.lower()) != self._origin:
            raise ReferenceNotFollowedError("it is on another host than the document")
        return url


def _find_pointer(data: Any, fragment: str) -> tuple[Loc, Any]:
    if fragment and not fragment.startswith("/"):
        raise ReferenceNotFollowedError("only JSON pointers are supported")
    loc: Loc = ()
    for escaped in fragment.split("/")[1:]:
        key = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict) and key in data:
            loc, data = (*loc, key), data[key]
        elif isinstance(data, list) and key.isdecimal() and int(key) < len(data):
            loc, data = (*loc, int(key)), data[int(key)]
        else:
            raise ReferenceNotFollowedError("target not found")
    return loc, data


def _read_file(name: str) -> bytes:
    try:
        with open(name, "rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unreadable(name, f"cannot read: {reason}") from error
    if len(raw) > MAX_BYTES:
        raise _unreadable(name, f"larger than {MAX_BYTES // (1024 * 1024)} MiB")
    return raw


def _read_url(url: str) -> bytes:
    try:
        return fetch(url, MAX_BYTES)
    except FetchError as error:
        raise _unreadable(url, str(error)) from error


def parse(raw: bytes, name: str) -> Document:
    """Parse JSON or YAML; raise `ProblemsError`."""
    if raw.lstrip()[:1] == b"{":
        try:
            return Document(name, orjson.loads(raw))
        except orjson.JSONDecodeError:
            pass  # YAML that starts with a brace, or invalid JSON: the YAML reader reports the position
    try:
        text = raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _unreadable(name, "it is not UTF-8") from error
    root = read_nodes(text, name, _TextKeys)
    return Document(name, root.value, root)


def _unreadable(name: str, message: str) -> ProblemsError:
    return ProblemsError([Problem(message, name, code="unreadable")])


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

    def warn(self, message: str) -> None:
        """Warn that this value is skipped or changed."""
        self.documents.warnings.add(self.document.position_of(self.loc), self.loc, message)

    def get(self, key: str) -> Cursor | None:
        """Return the value of a key, references followed, or None."""
        return self._child(key, self.value[key]) if isinstance(self.value, dict) and key in self.value else None

    def _child(self, key: str | int, value: Any) -> Cursor | None:
        return self.documents.resolve(Cursor(self.documents, self.document, (*self.loc, key), value))

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
        return (child.value.strip() or None) if child else None

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
