"""XML: elements as objects. Document types are rejected, and with them entity definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from .format import Format, FormatDeclaration, reject
from .text import decode

MAX_DEPTH: Final = 100
TEXT: Final = ""
"""The key of an element's text next to its attributes and children."""

_NAMESPACE: Final = "xmlns"


def compile_format(declared: FormatDeclaration) -> Format:
    """Compile XML, which has no options."""
    return Format(declared.info, convert=from_xml, encode=to_xml)


def from_xml(body: bytes, charset: str | None) -> Any:
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


def to_xml(data: Any) -> bytes:
    """Encode data as XML, everything as elements."""
    return f"<response>{_element('value', data) if isinstance(data, list) else _inner(data)}</response>".encode()


class _Element:
    """An open element; `texts` are the runs of text between its children."""

    __slots__ = ("members", "name", "texts")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = _local(name)
        self.members: dict[str, Any] = {}
        self.texts: list[str] = []
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
        if not self.members and not root:
            return "".join(self.texts)
        if runs := [text for text in self.texts if text.strip()]:
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
            texts[-1] += text
        else:
            texts.append(text)
            self._in_text = True


def _reject_doctype(*_: Any) -> None:
    reject("document types (<!DOCTYPE) are not allowed")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _inner(data: Any) -> str:
    if isinstance(data, dict):
        return "".join(_element(name, value) for name, value in data.items())
    return escape("" if data is None else data if isinstance(data, str) else str(data))


def _element(name: str, data: Any) -> str:
    if isinstance(data, list):
        return "".join(_element(name, item) for item in data)
    return f"<{name}>{_inner(data)}</{name}>" if name else _inner(data)
