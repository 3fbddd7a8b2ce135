"""Read OpenAPI documents, in JSON or YAML, from files and URLs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
import yaml

from adapter_host.document.nodes import Loc, Node, Position
from adapter_host.document.yaml_reader import LOADER, read_nodes
from adapter_host.errors import Problem, ProblemsError
from adapter_host.regular_files import read_regular_file

from .fetch import FetchError

MAX_BYTES: Final = 32 * 1024 * 1024


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


def read_document(name: str, fetch: Callable[[str, int], bytes]) -> Document:
    """Return the document at a path, or at a URL with `fetch`; raise `ProblemsError`."""
    return _parse(_read_url(name, fetch) if is_url(name) else _read_file(name), name)


def _read_file(name: str) -> bytes:
    """Return the content of a file; raise `ProblemsError`."""
    try:
        raw = read_regular_file(name, MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unreadable(name, f"cannot read: {reason}") from error
    if len(raw) > MAX_BYTES:
        raise _unreadable(name, f"larger than {MAX_BYTES // (1024 * 1024)} MiB")
    return raw


def _read_url(url: str, fetch: Callable[[str, int], bytes]) -> bytes:
    try:
        return fetch(url, MAX_BYTES)
    except FetchError as error:
        raise _unreadable(url, str(error)) from error


def _parse(raw: bytes, name: str) -> Document:
    """Parse JSON or YAML; raise `ProblemsError`."""
    if raw.lstrip()[:1] == b"{":
        try:
            return Document(name, orjson.loads(raw))
        except orjson.JSONDecodeError:
            pass  # YAML that starts with a brace, or invalid JSON: the YAML reader reports the position
    root = _nodes(raw, name)
    return Document(name, root.value, root)


def read_yaml(name: str) -> Node:
    """Return the root of a file in YAML or JSON, with lines; raise `ProblemsError`."""
    return _nodes(_read_file(name), name)


def _nodes(raw: bytes, name: str) -> Node:
    try:
        text = raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _unreadable(name, "it is not UTF-8") from error
    return read_nodes(text, name, _TextKeys)


def _unreadable(name: str, message: str) -> ProblemsError:
    return ProblemsError([Problem(message, name, code="unreadable")])
