"""XML: elements as objects. Document types are rejected, and with them entity definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat

from .conversion import Convert
from .errors import reject
from .text import decode

MAX_DEPTH: Final = 100
TEXT: Final = ""
"""The key of an element's text next to its attributes and children."""

_NAMESPACE: Final = "xmlns"


def converter() -> Convert:
    """Return the conversion of XML, which has no options."""
    return _from_xml


def _from_xml(body: bytes, charset: str | None, limit: int) -> Any:
    """Return the members of the root element: attributes and elements by name, repeated ones as an array."""
    # The charset of HTTP takes precedence over the XML declaration, which expat ignores for text.
    source = decode(body, charset) if charset else body
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _reject_doctype
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        reject(f"line {error.lineno}: {expat.errors.messages[error.code]}")
    return reader.root


class _Element:
    """An open element; `texts` are the runs of text between its children, in pieces."""

    __slots__ = ("members", "name", "texts")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = _local(name)
        self.members: dict[str, Any] = {}
        self.texts: list[list[str]] = []
        for key, value in attributes.items():
            if key != _NAMESPACE and not key.startswith(f"{_NAMESPACE}:"):
                self.add(_local(key), value)

    def add(self, name: str, value: Any) -> None:
        """Add a member; the second of the same name makes an array."""
        current = self.members.get(name)
        if current is None:
            self.members[name] = value
        elif isinstance(current, list):
            current.append(value)
        else:
            self.members[name] = [current, value]

    def value(self, *, root: bool = False) -> Any:
        """Return the element as data; an element that only has text is a string."""
        texts = ["".join(pieces) for pieces in self.texts]
        if not self.members and not root:
            return "".join(texts)
        if runs := [text for text in texts if text.strip()]:
            self.members[TEXT] = runs[0] if len(runs) == 1 else runs
        return self.members


class _Reader:
    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[_Element] = []
        self._in_text = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) == MAX_DEPTH:
            reject(f"nested deeper than {MAX_DEPTH} levels")
        self._open.append(_Element(name, attributes))
        self._in_text = False

    def end(self, _: str) -> None:
        element = self._open.pop()
        self._in_text = False
        if self._open:
            self._open[-1].add(element.name, element.value())
        else:
            self.root = element.value(root=True)

    def text(self, text: str) -> None:
        texts = self._open[-1].texts
        if self._in_text:
            texts[-1].append(text)
        else:
            texts.append([text])
            self._in_text = True


def _reject_doctype(*_: Any) -> None:
    reject("document types (<!DOCTYPE) are not allowed")


def _local(name: str) -> str:
    return name.rpartition(":")[2]
