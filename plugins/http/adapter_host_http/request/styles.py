"""Serialize values in the styles of parameters (OpenAPI 3.1, section 4.8.12.3, after RFC 6570)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

from adapter_host import ABSENT, ArgumentError, WireFormat, bare_media_type, is_json, text_of
from adapter_host_http.encoding import Encode, cookie_encode, json_text, percent_encode

_RESERVED: Final = ":/?@!$'()*,;="
"""The reserved characters that mean nothing within a value of a query (RFC 3986, section 3.4)."""

_TRIPLET: Final = re.compile(r"(%[0-9A-Fa-f]{2})")
_SEPARATORS: Final[Mapping[str, tuple[str, str]]] = {"spaceDelimited": (" ", "%20"), "pipeDelimited": ("|", "%7C")}
_COMMA: Final = (",", ",")
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class StyledPair:
    """A name in a query, a form or a cookie with the elements of its value; `separator` as text and encoded."""

    name: str
    texts: tuple[str, ...]
    separator: tuple[str, str] = _COMMA

    @property
    def text(self) -> str:
        """The value, not encoded."""
        return self.separator[0].join(self.texts)

    def encoded(self, encode_name: Encode, encode: Encode) -> str:
        """Return `name=value`; characters between elements keep their meaning."""
        return f"{encode_name(self.name)}={self.separator[1].join(map(encode, self.texts))}"


@dataclass(frozen=True, slots=True)
class Styled:
    """The style of one value: the name in the request, and the name of the input that errors report.

    `taken` are names of other values at the location, which properties of an exploded object must not have.
    """

    name: str
    wire: WireFormat
    input: str
    taken: frozenset[str] = frozenset()

    def pairs(self, value: Any) -> Iterator[StyledPair]:
        """Yield the pairs of a value; none for null, an absent value, and an empty array or object."""
        if value is None or value is ABSENT:
            return
        wire = self.wire
        if wire.content_type is not None:
            yield StyledPair(self.name, (content_text(value, wire.content_type),))
        elif wire.style == "deepObject":
            yield from _deep_pairs(self.name, value)
        elif wire.explode and isinstance(value, list | tuple):
            yield from (StyledPair(self.name, (text,)) for text in _elements(value))
        elif wire.explode and isinstance(value, dict):
            yield from (StyledPair(name, (text,)) for name, text in self._properties(value))
        elif texts := tuple(_flat(value)):
            yield StyledPair(self.name, texts, _SEPARATORS.get(wire.style or "", _COMMA))

    def _properties(self, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name, text in _items(value):
            if name in self.taken:
                message = f"'{self.input}' must not have the property '{name}', which is another part of the request"
                raise ArgumentError(self.input, message)
            yield name, text


def query_serializer(styled: Styled) -> Callable[[Any], str]:
    """Return a function from a value to its part of a query; empty for no value."""
    return partial(_encoded_pairs, styled, reserved_encode if styled.wire.allow_reserved else percent_encode)


def _encoded_pairs(styled: Styled, encode: Encode, value: Any) -> str:
    return "&".join(pair.encoded(percent_encode, encode) for pair in styled.pairs(value))


def cookie_serializer(styled: Styled) -> Callable[[Any], str]:
    """Return a function from a value to its pairs of the header `Cookie`; empty for no value.

    An exploded array or object becomes several cookies, as `&` does not separate cookies (RFC 6265, section 4.2.1).
    """

    def serialize(value: Any) -> str:
        return "; ".join(pair.encoded(percent_encode, cookie_encode) for pair in styled.pairs(value))

    return serialize


def header_serializer(styled: Styled) -> Callable[[Any], str | None]:
    """Return a function from a value to the value of a header, or to None for no value."""
    wire = styled.wire

    def serialize(value: Any) -> str | None:
        if value is None or value is ABSENT:
            return None
        if wire.content_type is not None:
            return content_text(value, wire.content_type)
        if wire.explode and isinstance(value, dict):
            return ",".join(f"{name}={text}" for name, text in _items(value))
        return ",".join(_flat(value))

    return serialize


def path_serializer(styled: Styled) -> Callable[[Any], tuple[str, str]]:
    """Return a function from a value to its part of a path segment: as text, and percent-encoded."""
    return partial(_path_texts, styled)


def _path_texts(styled: Styled, value: Any) -> tuple[str, str]:
    # Every second piece is a value, which is encoded.
    pieces = list(_path_pieces(styled, value))
    encoded = (percent_encode(piece) if index % 2 else piece for index, piece in enumerate(pieces))
    return "".join(pieces), "".join(encoded)


def _path_pieces(styled: Styled, value: Any) -> Iterator[str]:
    """Yield literals and values of a path segment by turns, literals first."""
    wire, name = styled.wire, percent_encode(styled.name)
    if wire.content_type is not None:
        yield from ("", content_text(value, wire.content_type))
        return
    matrix, exploded = wire.style == "matrix", wire.explode
    prefix = {"label": ".", "matrix": ";"}.get(wire.style or "", "")
    between = (prefix or ",") if exploded else ","
    if exploded and isinstance(value, dict):
        for index, (key, text) in enumerate(_items(value)):
            yield from (between if index else prefix, key, "=", text)
        return
    head = f"{name}=" if matrix else ""
    for index, text in enumerate(_flat(value)):
        start = prefix + head if not index else between + (head if exploded else "")
        # An empty value of the style matrix has no equals sign.
        yield from (start if text or not matrix else start.rstrip("="), text)


def content_text(value: Any, media_type: str) -> str:
    """Return a value as text of a media type; as JSON if the type has no form of its own for arrays and objects."""
    if is_json(media_type):
        return json_text(value)
    if bare_media_type(media_type) == _FORM and isinstance(value, dict):
        return urlencode([(name, text) for name, field in value.items() for text in _elements(_as_list(field))])
    return text_of(value)


def reserved_encode(text: str) -> str:
    """Percent-encode text for a query, except for triplets and for reserved characters that mean nothing there."""
    pieces = _TRIPLET.split(text)
    return "".join(
        piece if index % 2 else quote(piece, safe=_RESERVED, errors="replace") for index, piece in enumerate(pieces)
    )


def _deep_pairs(name: str, value: Any) -> Iterator[StyledPair]:
    """Yield the pairs of a value with brackets around its keys; elements of arrays have their indexes for keys."""
    if value is None or value is ABSENT:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _deep_pairs(f"{name}[{key}]", child)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _deep_pairs(f"{name}[{index}]", child)
    else:
        yield StyledPair(name, (text_of(value),))


def _flat(value: Any) -> Iterator[str]:
    """Yield the texts of a value: elements, keys and values by turns, or the value itself."""
    if isinstance(value, dict):
        for item in _items(value):
            yield from item
    elif isinstance(value, list | tuple):
        yield from _elements(value)
    else:
        yield text_of(value)


def _items(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((name, text_of(child)) for name, child in value.items() if child is not None and child is not ABSENT)


def _elements(value: list[Any] | tuple[Any, ...]) -> Iterator[str]:
    return (text_of(child) for child in value if child is not None and child is not ABSENT)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
