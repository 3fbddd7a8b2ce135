"""Encode values as text, so that no value leaves its position in a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import orjson

from adapter_host import ABSENT, ArgumentError, text_of

Encode = Callable[[Any], str]

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]*")
_COOKIE_SAFE: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"
_SPARQL_BARE: Final = re.compile(r"[\w.:/#+~@?&=%-]*")
_SPARQL_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_DECODINGS: Final = 3


def comma_joined(value: Any) -> str:
    """Return the text of a value; join the elements of an array with commas."""
    return ",".join(map(text_of, value)) if isinstance(value, list | tuple) else text_of(value)


def percent_encode(text: str) -> str:
    """Encode text for a path segment or a query: only unreserved characters stay."""
    if _UNRESERVED.fullmatch(text):
        return text
    return quote(text, safe="", errors="replace")


def form_encode(text: str) -> str:
    """Encode text for a form field."""
    return percent_encode(text).replace("%20", "+")


def cookie_encode(text: str) -> str:
    """Encode text for a cookie value; percent-encode characters that could end it."""
    return quote(text, safe=_COOKIE_SAFE, errors="replace")


def header_value(name: str, text: str) -> str:
    """Return text for a header; raise `ArgumentError` for non-ASCII and control characters."""
    if not text.isascii():
        raise ArgumentError(name, f"'{name}' is sent in a header and must be ASCII text")
    if CONTROL.search(text):
        raise ArgumentError(name, f"'{name}' is sent in a header and must not contain control characters")
    return text


def json_text(value: Any) -> str:
    """Return a value as JSON."""
    return orjson.dumps(None if value is ABSENT else value).decode()


def json_inner(value: Any) -> str:
    """Return a value as the content of a JSON string."""
    return orjson.dumps(text_of(value)).decode()[1:-1]


def xml_escape(value: Any) -> str:
    """Return a value as XML text or attribute value."""
    return escape(text_of(value), {'"': "&quot;", "'": "&apos;"})


def sparql_inner(value: Any) -> str:
    """Return a value as the content of a SPARQL string."""
    return text_of(value).translate(_SPARQL_ESCAPES)


def sparql_bare(name: str, value: Any) -> str:
    """Return a value as an unquoted SPARQL word; raise `ArgumentError` for other characters."""
    text = text_of(value)
    if not _SPARQL_BARE.fullmatch(text):
        raise ArgumentError(name, f"'{name}' must contain only letters, digits and .:/#+~@?&=%-_ in this query")
    return text


def has_dot_segment(segment: str) -> bool:
    """Return whether a recipient that decodes the path segment could read `.` or `..` in it."""
    if segment in (".", ".."):
        return True
    if segment.isalnum():
        return False
    for _ in range(_DECODINGS):
        if any(part.partition(";")[0].strip() in (".", "..") for part in re.split(r"[/\\]", segment)):
            return True
        segment = unquote(segment)
    return False
