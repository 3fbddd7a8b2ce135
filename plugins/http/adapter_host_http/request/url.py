"""Compile paths, so that no value leaves its path segment."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import quote, unquote, unquote_plus

from yarl import URL

from adapter_host import ABSENT, ArgumentError, Arguments, Pattern, compile_pattern
from adapter_host_http.encoding import CONTROL, comma_joined, has_dot_segment, has_empty_segment, percent_encode

from .templates import Constant, Value, render

# White space belongs to one part of the expression, so that matching is linear.
_NAME: Final = r"\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*"
PLACEHOLDER: Final = re.compile(rf"\{{\{{{_NAME}\}}\}}|\{{{_NAME}\}}")

_LITERAL: Final = "/%:@!$&'()*+,;=~-._"
_RAW: Final = "%:@!$&'()*+,;=~-._"
_RAW_QUERY: Final = "/?[]{}|^`\\" + _RAW
_ABSOLUTE: Final = re.compile(r"/|https?://", re.IGNORECASE)
_ENCODED: Final = re.compile(r"[!-~]+")
# A bare percent sign, or more bytes than a character of ASCII takes, which some recipients decode (RFC 3629 section 3).
_MALFORMED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%[Cc][01]%[89ABab]|%[Ee]0%[89]|%[Ff]0%8")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value in a path, and the name of its input; `serialize` returns a styled value, as text and encoded."""

    name: str
    value: Value
    serialize: Callable[[Any], tuple[str, str]] | None = None


Piece = str | Placeholder


def as_tags(text: str) -> str:
    """Return a text with its placeholders `{x}` written as `{{x}}`."""
    return PLACEHOLDER.sub(lambda tag: "{{" + (tag[1] or tag[2]) + "}}", text)


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a declared path; names and values of the query are decoded outside of placeholders."""

    path: str
    query: tuple[tuple[str, str], ...]
    fragment: str


def split_target(text: str) -> Target:
    """Split a declared path at the first `#` and `?` outside of placeholders."""
    masked = PLACEHOLDER.sub(lambda tag: "x" * len(tag[0]), text)
    end = masked.find("#") if "#" in masked else len(text)
    start = masked.find("?", 0, end) if "?" in masked[:end] else end
    pairs, position = [], start + 1
    for part in masked[position:end].split("&") if position < end else ():
        name, _, value = text[position : position + len(part)].partition("=")
        if name:
            pairs.append((unquote_plus(name), _decode_literals(value)))
        position += len(part) + 1
    return Target(text[:start], tuple(pairs), text[end:])


def _decode_literals(text: str) -> str:
    pieces, end = [], 0
    for tag in PLACEHOLDER.finditer(text):
        pieces += [unquote_plus(text[end : tag.start()]), tag[0]]
        end = tag.end()
    return "".join((*pieces, unquote_plus(text[end:])))


def literal(text: str) -> str:
    """Encode text of the document for a path."""
    return quote(text, safe=_LITERAL)


class Segment:
    """A path segment with values of the call."""

    __slots__ = ("_name", "_pieces")

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = tuple(pieces)
        self._name = next(piece.name for piece in pieces if isinstance(piece, Placeholder))

    def render(self, arguments: Arguments) -> str:
        """Return the encoded segment; raise `ArgumentError` for a value that would leave it."""
        raw, encoded = "", ""
        for piece in self._pieces:
            if isinstance(piece, str):
                raw += piece
                encoded += literal(piece)
            else:
                text = _text(piece, arguments)
                raw += text
                encoded += percent_encode(text)
        return self._checked(raw, encoded)

    def _checked(self, raw: str, encoded: str) -> str:
        if not raw:
            raise ArgumentError(self._name, f"'{self._name}' is part of the path and must not be empty")
        if has_dot_segment(raw):
            raise ArgumentError(self._name, f"'{self._name}' must not result in a '.' or '..' path segment")
        return encoded

    def __str__(self) -> str:
        return "".join(f"{{{p.name}}}" if isinstance(p, Placeholder) else literal(p) for p in self._pieces)


class StyledSegment(Segment):
    """A path segment in which a value has a style."""

    __slots__ = ()

    def render(self, arguments: Arguments) -> str:
        """Return the encoded segment; raise `ArgumentError` for a value that would leave it."""
        raw, encoded = "", ""
        for piece in self._pieces:
            text, escaped = (piece, literal(piece)) if isinstance(piece, str) else _texts(piece, arguments)
            raw += text
            encoded += escaped
        return self._checked(raw, encoded)


def _text(piece: Placeholder, arguments: Arguments) -> str:
    value = render(piece.value, arguments)
    if value is None or value is ABSENT:
        raise ArgumentError(piece.name, f"'{piece.name}' is required")
    text = comma_joined(value)
    return text if CONTROL.search(text) is None else _refused(piece)


def _texts(piece: Placeholder, arguments: Arguments) -> tuple[str, str]:
    """Return a value of a path as text, and percent-encoded."""
    if piece.serialize is None:
        text = _text(piece, arguments)
        return text, percent_encode(text)
    value = render(piece.value, arguments)
    if value is None or value is ABSENT:
        raise ArgumentError(piece.name, f"'{piece.name}' is required")
    text, encoded = piece.serialize(value)
    return text if CONTROL.search(text) is None else _refused(piece), encoded


def _refused(piece: Placeholder) -> NoReturn:
    raise ArgumentError(piece.name, f"'{piece.name}' must not contain control characters")


class Path:
    """A compiled path; it is empty or begins with a slash."""

    __slots__ = ("_constant", "_parts")

    def __init__(self, segments: list[list[Piece]]) -> None:
        parts: list[str | Segment] = []
        for segment in segments:
            parts.append("/")
            parts.append(_segment(segment))
        self._parts = tuple(_merge_literals(parts))
        texts = [part for part in self._parts if isinstance(part, str)]
        self._constant = "".join(texts) if len(texts) == len(self._parts) else None

    def render(self, arguments: Arguments) -> str:
        if self._constant is not None:
            return self._constant
        return "".join(part if isinstance(part, str) else part.render(arguments) for part in self._parts)

    def pattern(self) -> Pattern:
        """Return a pattern that matches every rendered path, percent-encoded; `/` for an empty one."""
        parts = (re.escape(part) if isinstance(part, str) else _pattern(str(part)) for part in self._parts)
        return compile_pattern(f"^{''.join(parts) or '/'}$")

    def __str__(self) -> str:
        return "".join(map(str, self._parts))


def _segment(pieces: list[Piece]) -> str | Segment:
    if all(isinstance(p, str) or isinstance(p.value, Constant) for p in pieces):
        return "".join(literal(p) if isinstance(p, str) else _texts(p, {})[1] for p in pieces)
    styled = any(isinstance(piece, Placeholder) and piece.serialize is not None for piece in pieces)
    return StyledSegment(pieces) if styled else Segment(pieces)


def _pattern(segment: str) -> str:
    return re.sub(r"\\\{.+?\\\}", "[^/]+", re.escape(segment))


def _merge_literals(parts: list[str | Segment]) -> list[str | Segment]:
    merged: list[str | Segment] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def parse_path(text: str, value_of: Callable[[str], Placeholder]) -> list[list[Piece]]:
    """Return the segments of a path; `value_of` resolves a placeholder, written `{x}` or `{{x}}`."""
    segments: list[list[Piece]] = []
    stripped = text.lstrip("/")
    for segment in stripped.split("/") if text else ():
        pieces: list[Piece] = []
        end = 0
        for tag in PLACEHOLDER.finditer(segment):
            if tag.start() > end:
                pieces.append(segment[end : tag.start()])
            pieces.append(value_of(tag[0]))
            end = tag.end()
        if end < len(segment):
            pieces.append(segment[end:])
        segments.append(pieces)
    return segments


def forwarded_path(raw: str) -> str:
    """Return a caller's path, percent-encoded where it was not; raise `ArgumentError` if it could leave the base."""
    if not raw:
        return ""
    if has_empty_segment(raw if raw.startswith("/") else f"/{raw}"):
        raise ArgumentError("path", "the path must not contain '//', encoded or not")
    if _MALFORMED.search(raw):
        raise ArgumentError("path", "the path must not contain a '%' without two digits, or an overlong encoding")
    segments = raw.removeprefix("/").split("/")
    for segment in segments:
        if has_dot_segment(segment):
            raise ArgumentError("path", "the path must not contain '.' or '..' segments")
        if CONTROL.search(unquote(segment)):
            raise ArgumentError("path", "the path must not contain control characters")
    return "/" + "/".join(map(_escaped, segments))


def forwarded_query(raw: str) -> str:
    """Return a caller's query with its `?`, percent-encoded where it was not."""
    return f"?{_escaped(raw, _RAW_QUERY)}" if raw else ""


def _escaped(raw: str, safe: str = _RAW) -> str:
    # Bytes that are not UTF-8 arrive as surrogates.
    return quote(raw.encode("utf-8", "surrogateescape"), safe=safe)


def relative_location(location: str, base: str, path: str) -> str:
    """Return a Location below the base relative to `path`, so that it holds below any other base, too.

    A location outside of the base, and one that is relative, stays unchanged.
    """
    if not path or not _ABSOLUTE.match(location) or not _ENCODED.fullmatch(location):
        return location
    try:
        root = URL(base, encoded=True)
        there = root.join(URL(location, encoded=True))
    except ValueError:
        return location
    base_path = root.raw_path.rstrip("/")
    if there.origin() != root.origin() or not f"{there.raw_path}/".startswith(f"{base_path}/"):
        return location
    return _relative_path(path, there.raw_path[len(base_path) :] or "/") + _after_path(location)


def _relative_path(start: str, end: str) -> str:
    """Return the relative path from one absolute path to another."""
    here, there = start.split("/")[:-1], end.split("/")
    same = 0
    while same < min(len(here), len(there) - 1) and here[same] == there[same]:
        same += 1
    text = "../" * (len(here) - same) + "/".join(there[same:])
    # Without `./` the first segment could be read as a scheme, as a host, or as empty.
    return text if text and ":" not in text.split("/")[0] and not text.startswith("/") else f"./{text}"


def _after_path(location: str) -> str:
    match = re.search(r"[?#]", location)
    return location[match.start() :] if match else ""
