"""Read inputs whose style or media type is declared, the reverse of how the consumed API gets them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

from adapter_host import ABSENT, ArgumentError, Input, NestingError, WireFormat, is_json, parse_json

Pairs = Sequence[tuple[str, str]]
"""Names, decoded, and values, as they were sent."""

_DELIMITERS: Final[Mapping[str, re.Pattern[str]]] = {
    "spaceDelimited": re.compile(r"%20|\+| "),
    "pipeDelimited": re.compile(r"%7C|\|", re.IGNORECASE),
}
_COMMA: Final = re.compile(",")
_KEY: Final = re.compile(r"\[([^\[\]]*)\]")
_PREFIXES: Final = {"label": ".", "matrix": ";"}
_MOST_INDEXES: Final = 1000


@dataclass(frozen=True, slots=True)
class StyledField:
    """An input with a declared style or media type.

    `decode` decodes a part of a value. `taken` are names that belong to other inputs, and so to no exploded object.
    """

    parameter: Input
    wire: WireFormat
    decode: Callable[[str], str]
    taken: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the argument."""
        return self.parameter.name

    def from_pairs(self, pairs: Pairs) -> Any:
        """Return the value in the pairs of a query, a form or cookies, or `ABSENT`."""
        return self._typed(self._from_pairs(pairs))

    def from_text(self, text: str) -> Any:
        """Return the value of one text, or `ABSENT` for an empty one of another type than text."""
        return self._typed(self._from_text(text))

    def from_segment(self, text: str) -> Any:
        """Return the value of a part of a path."""
        return self._typed(self._from_segment(text))

    def _typed(self, value: Any) -> Any:
        # Requests carry text, also where a schema declares other types.
        return value if value is ABSENT else self.parameter.converted(value)

    def _from_pairs(self, pairs: Pairs) -> Any:
        name, type_name, wire = self.parameter.request_name, self.parameter.type, self.wire
        texts = [value for key, value in pairs if key == name]
        if wire.style == "deepObject" and (tree := _nested(name, pairs, self.decode)):
            return tree
        if type_name == "object" and wire.explode and wire.style != "deepObject" and not texts:
            found = {key: self.decode(value) for key, value in pairs if self._is_property(key)}
            return found or ABSENT
        if not texts:
            return ABSENT
        if type_name == "array" and wire.content_type is None and (len(texts) > 1 or wire.explode):
            return [element for text in texts for element in self._elements(text)]
        return self._from_text(texts[0])

    def reads(self, key: str) -> bool:
        """Return whether a pair of this name belongs to the input."""
        name = self.parameter.request_name
        if key == name or (self.wire.style == "deepObject" and key.startswith(f"{name}[")):
            return True
        if self.wire.style == "deepObject" or self.parameter.type != "object":
            return False
        return self.wire.explode and self._is_property(key)

    def _elements(self, text: str) -> Sequence[Any]:
        if not self.wire.explode:
            return self._split(text)
        decoded = self.decode(text)
        return self._as_json(decoded) if decoded[:1] == "[" else [decoded]

    def _from_text(self, text: str) -> Any:
        type_name, wire, decoded = self.parameter.type, self.wire, self.decode(text)
        if wire.content_type is not None and is_json(wire.content_type):
            return self._as_json(decoded)
        if type_name not in ("array", "object") or wire.content_type is not None:
            return self.parameter.parse(decoded) if decoded or type_name in (None, "string") else ABSENT
        if wire.style is None:
            return self.parameter.parse(decoded)
        if decoded[:1] == ("[" if type_name == "array" else "{"):
            return self._as_json(decoded)
        parts = self._split(text)
        if type_name == "array":
            return parts
        return dict(map(_halves, parts) if wire.explode else zip(parts[::2], parts[1::2], strict=False))

    def _from_segment(self, text: str) -> Any:
        wire, name = self.wire, self.parameter.request_name
        prefix = _PREFIXES.get(wire.style or "", "")
        if not prefix:
            return self._from_text(text)
        text = text.removeprefix(prefix)
        if not wire.explode or self.parameter.type not in ("array", "object"):
            return self._from_text(text.removeprefix(f"{name}=") if wire.style == "matrix" else text)
        parts = text.split(prefix)
        if self.parameter.type == "object":
            return dict(map(_halves, parts))
        return [part.removeprefix(f"{name}=") for part in parts]

    def _is_property(self, key: str) -> bool:
        properties = self.parameter.schema.get("properties")
        return key in properties if properties else self.taken.isdisjoint((key, key.partition("[")[0]))

    def _split(self, text: str) -> list[str]:
        delimiter = _DELIMITERS.get(self.wire.style or "", _COMMA)
        return [self.decode(part) for part in delimiter.split(text)] if text else []

    def _as_json(self, text: str) -> Any:
        try:
            return parse_json(text)
        except NestingError as error:
            raise ArgumentError(self.name, f"'{self.name}' is {error}") from None
        except ValueError:
            raise ArgumentError(self.name, f"'{self.name}' must be JSON") from None


def compile_field(parameter: Input, location: str, inputs: Iterable[Input] = ()) -> StyledField | None:
    """Return an input with a declared style or media type, or None for one without."""
    if parameter.wire is None or (parameter.wire.style is None and parameter.wire.content_type is None):
        return None
    return StyledField(parameter, parameter.wire, DECODERS[location], frozenset(each.request_name for each in inputs))


def raw_pairs(query: str) -> list[tuple[str, str]]:
    """Return the pairs of a query or a form; values stay encoded."""
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(unquote_plus(name), value) for name, _, value in parts]


def cookie_pairs(headers: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of all `Cookie` headers; values stay encoded."""
    parts = (part.partition("=") for header in headers for part in header.split(";"))
    return [(name.strip(), value.strip()) for name, _, value in parts]


def header_decode(text: str) -> str:
    """Return a part of a header without the white space around it."""
    return text.strip()


DECODERS: Final[Mapping[str, Callable[[str], str]]] = {
    "query": unquote_plus,
    "cookie": unquote,
    "header": header_decode,
    "path": str,
}
"""The decoders of parts of values, by location; the router decodes paths."""


def _halves(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _nested(name: str, pairs: Pairs, decode: Callable[[str], str]) -> Any:
    """Return the value of the pairs whose names are `name[...]`, or None without any."""
    root: dict[str, Any] = {}
    for key, text in pairs:
        if not key.startswith(f"{name}["):
            continue
        keys = _KEY.findall(key[len(name) :])
        node = root
        for step in keys[:-1]:
            child = node.setdefault(_named(step, node), {})
            if not isinstance(child, dict):
                break
            node = child
        else:
            if keys:
                node[_named(keys[-1], node)] = decode(text)
    return _as_lists(root) if root else None


def _named(key: str, node: Mapping[str, Any]) -> str:
    """Return a key; an empty one is the next index."""
    return key or str(len(node))


def _as_lists(node: Any) -> Any:
    """Return nested data in which objects with the keys 0, 1, 2 and so on are arrays."""
    if not isinstance(node, dict):
        return node
    children = {key: _as_lists(child) for key, child in node.items()}
    indexes: Iterator[str] = map(str, range(len(children)))
    if len(children) <= _MOST_INDEXES and children.keys() == set(indexes):
        return [children[str(index)] for index in range(len(children))]
    return children
