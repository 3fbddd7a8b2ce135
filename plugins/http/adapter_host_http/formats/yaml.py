"""YAML by the 1.2 core schema: the parser's events to data, without recursion, aliases within bounds."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
import yaml

from .format import Declared, Format, refuse
from .text import read_text

MAX_VALUES: Final = 1_000_000

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Final[dict[str, bool | None]] = {
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


def compile_format(declared: Declared) -> Format:
    """YAML needs nothing more."""
    return Format(declared.kind, convert=from_yaml, encode=to_yaml)


def from_yaml(body: bytes, charset: str | None) -> Any:
    """Return the data of one YAML document."""
    return read_yaml(read_text(body, charset))


def read_yaml(text: str) -> Any:
    """Return the data of YAML text; raises `FormatError`."""
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        refuse(f"{line}{error.problem}")
    except (yaml.YAMLError, OverflowError):
        refuse("a character is not allowed")
    return reader.data


def to_yaml(data: Any) -> bytes:
    """Write data as YAML; JSON is YAML already."""
    return orjson.dumps(data)


class _Open:
    """A collection whose end has not come yet; `size` counts aliases as what they stand for."""

    __slots__ = ("anchor", "key", "merged", "size", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.size = 1
        self.key: Any = _NO_KEY
        self.merged: list[Any] = []


class _Reader:
    def __init__(self) -> None:
        self._documents: list[Any] = []
        self._stack = [_Open(self._documents, None)]
        self._anchors: dict[str, tuple[Any, int]] = {}

    @property
    def data(self) -> Any:
        return self._documents[0] if self._documents else None

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            value = _plain(event.value) if _is_plain(event) else event.value
            self._remember(event.anchor, value, 1)
            self._put(value, 1)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._stack.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._put(*self._anchored(event.anchor))
        elif isinstance(event, yaml.DocumentStartEvent) and self._documents:
            refuse("it contains more than one document")

    def _end(self) -> None:
        done = self._stack.pop()
        for merged in done.merged:
            done.value = {**merged, **done.value}
        self._remember(done.anchor, done.value, done.size)
        self._put(done.value, done.size)

    def _anchored(self, anchor: str | None) -> tuple[Any, int]:
        known = self._anchors.get(anchor or "")
        return known or refuse("an alias stands for nothing complete")

    def _remember(self, anchor: str | None, value: Any, size: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = value, size

    def _put(self, value: Any, size: int) -> None:
        into = self._stack[-1]
        into.size += size
        if into.size > MAX_VALUES:
            refuse(f"more than {MAX_VALUES:,} values with aliases expanded")
        if isinstance(into.value, list):
            into.value.append(value)
        elif into.key is _NO_KEY:
            into.key = _key(value)
        else:
            self._put_member(into, value)

    def _put_member(self, into: _Open, value: Any) -> None:
        key, into.key = into.key, _NO_KEY
        if key == _MERGE and isinstance(value, dict):
            into.merged.append(value)
        elif key == _MERGE and isinstance(value, list) and all(isinstance(each, dict) for each in value):
            into.merged += value
        else:
            into.value[key] = value


def _is_plain(event: Any) -> bool:
    return bool(event.implicit[0]) or (event.tag not in (None, "!", "tag:yaml.org,2002:str") and not event.style)


def _key(value: Any) -> str:
    if isinstance(value, dict | list):
        refuse("a key is a collection")
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text) or _BASED.fullmatch(text):
        number = int(text, 0 if text[:2] in ("0o", "0x") else 10)
        return number if -_LARGEST <= number < 2 * _LARGEST else float(text)
    return float(text) if _FLOAT.fullmatch(text) else text
