"""Values as text, encoded so that none leaves its place in a request."""

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
    """As `text_of`, but an array's elements stand between commas."""
    return ",".join(map(text_of, value)) if isinstance(value, list | tuple) else text_of(value)


def percent_encode(text: str) -> str:
    """Text for a path segment or a query: only unreserved characters stay."""
    if _UNRESERVED.fullmatch(text):
        return text
    return quote(text, safe="", errors="replace")


def form_encode(text: str) -> str:
    """Text for a field of a form."""
    return percent_encode(text).replace("%20", "+")


def cookie_encode(text: str) -> str:
    """Text for a cookie's value: what could end it is percent-encoded."""
    return quote(text, safe=_COOKIE_SAFE, errors="replace")


def header_value(name: str, text: str) -> str:
    """Text for a header; raises `ArgumentError` naming the input."""
    if not text.isascii():
        raise ArgumentError(name, f"'{name}' is sent in a header and may hold only ASCII characters")
    if CONTROL.search(text):
        raise ArgumentError(name, f"'{name}' is sent in a header and may hold no control characters")
    return text


def json_text(value: Any) -> str:
    """Return a value as JSON."""
    return orjson.dumps(None if value is ABSENT else value).decode()


def json_inner(value: Any) -> str:
    """Return a value as text inside a JSON string's quotes."""
    return orjson.dumps(text_of(value)).decode()[1:-1]


def xml_escape(value: Any) -> str:
    """Return a value as XML text or attribute."""
    return escape(text_of(value), {'"': "&quot;", "'": "&apos;"})


def sparql_inner(value: Any) -> str:
    """Return a value as text inside a SPARQL string's quotes."""
    return text_of(value).translate(_SPARQL_ESCAPES)


def sparql_bare(name: str, value: Any) -> str:
    """Return a value as a bare word of SPARQL; raises `ArgumentError` for anything more."""
    text = text_of(value)
    if not _SPARQL_BARE.fullmatch(text):
        raise ArgumentError(name, f"'{name}' may hold only letters, digits and .:/#+~@?&=%-_ in this query")
    return text


def has_dot_segment(segment: str) -> bool:
    """Whether a recipient that decodes a path segment could read `.` or `..` in it."""
    if segment in (".", ".."):
        return True
    if segment.isalnum():
        return False
    for _ in range(_DECODINGS):
        if any(part.partition(";")[0].strip() in (".", "..") for part in re.split(r"[/\\]", segment)):
            return True
        segment = unquote(segment)
    return False
