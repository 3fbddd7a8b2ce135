"""YAML 1.2 (core schema): convert parser events to data without recursion, and limit aliases."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
import yaml

from .conversion import Convert
from .errors import TooLargeError, reject
from .text import read_text

MAX_VALUES: Final = 1_000_000
MAX_TAG_DIRECTIVES: Final = 100
"""The parser compares each of them with all others."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG_DIRECTIVE: Final = re.compile(r"^%TAG", re.MULTILINE)
_KEYWORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL: Final = re.compile(r"[-+]?[0-9]{1,400}")
_BASED: Final = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LARGEST: Final = 2**63
_MERGE: Final = "<<"
_NO_KEY: Final = object()


def converter() -> Convert:
    """Return the conversion of YAML, which has no options."""
    return _from_yaml


def _from_yaml(body: bytes, charset: str | None, limit: int) -> Any:
    """Return the data of one YAML document."""
    return read_yaml(read_text(body, charset), limit)


def read_yaml(text: str, limit: int) -> Any:
    """Return the data of YAML text; raise `FormatError`, or `TooLargeError` for more than `limit` characters."""
    if len(_TAG_DIRECTIVE.findall(text)) > MAX_TAG_DIRECTIVES:
        reject(f"more than {MAX_TAG_DIRECTIVES} %TAG directives")
    reader = _Reader(limit)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.handle(event)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        reject(f"{line}{error.problem}")
    except (yaml.YAMLError, OverflowError):
        reject("invalid character")
    return reader.data


class _OpenCollection:
    """An open collection; `size` and `length` count aliases as the values and characters they repeat."""

    __slots__ = ("anchor", "key", "length", "merged", "size", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.size = 1
        self.length = 2
        self.key: Any = _NO_KEY
        self.merged: list[Any] = []


class _Reader:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._documents: list[Any] = []
        self._stack = [_OpenCollection(self._documents, None)]
        self._anchors: dict[str, tuple[Any, int, int]] = {}

    @property
    def data(self) -> Any:
        return self._documents[0] if self._documents else None

    def handle(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            value = _resolve_scalar(event.value) if _is_plain(event) else event.value
            length = len(event.value) + 1
            self._store_anchor(event.anchor, value, 1, length)
            self._add(value, 1, length)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._stack.append(_OpenCollection({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._add(*self._anchored(event.anchor))
        elif isinstance(event, yaml.DocumentStartEvent) and self._documents:
            reject("more than one document")

    def _end(self) -> None:
        closed = self._stack.pop()
        if closed.merged:
            # The first of several takes precedence, and the collection's own members over all of them.
            own, closed.value = closed.value, {}
            for merged in reversed(closed.merged):
                closed.value.update(merged)
            closed.value.update(own)
        self._store_anchor(closed.anchor, closed.value, closed.size, closed.length)
        self._add(closed.value, closed.size, closed.length)

    def _anchored(self, anchor: str | None) -> tuple[Any, int, int]:
        anchored = self._anchors.get(anchor or "")
        return anchored or reject("an alias to an incomplete or missing anchor")

    def _store_anchor(self, anchor: str | None, value: Any, size: int, length: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = value, size, length

    def _add(self, value: Any, size: int, length: int) -> None:
        parent = self._stack[-1]
        parent.size += size
        parent.length += length
        if parent.length > self._limit:
            raise TooLargeError
        if parent.size > MAX_VALUES:
            reject(f"more than {MAX_VALUES:,} values, including aliases")
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is _NO_KEY:
            parent.key = _key(value)
        else:
            self._add_member(parent, value)

    def _add_member(self, parent: _OpenCollection, value: Any) -> None:
        key, parent.key = parent.key, _NO_KEY
        if key == _MERGE and isinstance(value, dict):
            parent.merged.append(value)
        elif key == _MERGE and isinstance(value, list) and all(isinstance(item, dict) for item in value):
            parent.merged += value
        else:
            parent.value[key] = value


def _is_plain(event: Any) -> bool:
    return bool(event.implicit[0]) or (event.tag not in (None, "!", "tag:yaml.org,2002:str") and not event.style)


def _key(value: Any) -> str:
    if isinstance(value, dict | list):
        reject("a key is not a scalar")
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _resolve_scalar(text: str) -> Any:
    if text in _KEYWORDS:
        return _KEYWORDS[text]
    if _DECIMAL.fullmatch(text) or _BASED.fullmatch(text):
        number = int(text, 0 if text[:2] in ("0o", "0x") else 10)
        return number if -_LARGEST <= number < 2 * _LARGEST else float(text)
    return float(text) if _FLOAT.fullmatch(text) else text
