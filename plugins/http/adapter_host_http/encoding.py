"""Encode values as text, so that no value leaves its position in a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import orjson

from adapter_host import ABSENT, ArgumentError, encode_json, text_of

Encode = Callable[[Any], str]

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]*")
_COOKIE_SAFE: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"
# A number, a word, or a prefixed name; not `_:x`, which is a variable in effect.
_SPARQL_TOKEN: Final = re.compile(
    r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[^\W\d_]\w*|(?:[^\W\d_][\w-]*)?:(?:\w[\w-]*)?"
)
_SPARQL_NAME_PART: Final = re.compile(r"(?:\w[\w-]*)?")
_SPARQL_VARIABLE_PART: Final = re.compile(r"\w*")
_NOT_IN_IRI: Final = r"\x00-\x20\x7f-\x9f<>\"{}|^`\\%\[\]"
_IRI: Final = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*:(?:%[0-9A-Fa-f]{{2}}|[^{_NOT_IN_IRI}])*")
_IRI_PART: Final = re.compile(rf"(?:%[0-9A-Fa-f]{{2}}|[^{_NOT_IN_IRI}/?#])*")
_XML_REFERENCES: Final = {'"': "&quot;", "'": "&apos;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
# Written as what XML excludes: a class of all that it allows takes ten times as long to compile.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPARQL_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_PART_END: Final = re.compile(r"(^|[\r\n])--")
_DECODINGS: Final = 3
_EMPTY_SEGMENT: Final = re.compile(r"[/\\](?:;[^/\\]*)?[/\\]")


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
    return encode_json(None if value is ABSENT else value).decode()


def json_inner(value: Any) -> str:
    """Return a value as the content of a JSON string."""
    return orjson.dumps(text_of(value)).decode()[1:-1]


def xml_escape(name: str, value: Any) -> str:
    """Return a value as XML text or attribute value; raise `ArgumentError` for characters that XML does not have."""
    return escape(check_xml(name, value), _XML_REFERENCES)


def check_xml(name: str, value: Any) -> str:
    """Return the text of a value; raise `ArgumentError` for characters that XML does not have."""
    text = text_of(value)
    if _NOT_XML.search(text):
        raise ArgumentError(name, f"'{name}' is sent in XML and must not contain control characters")
    return text


def part_text(name: str, value: Any) -> str:
    """Return a value as text of a part of a multipart body; raise `ArgumentError` for one that could end it."""
    text = text_of(value)
    if _PART_END.search(text):
        raise ArgumentError(name, f"'{name}' is sent in a part and must not contain a line that begins with '--'")
    return text


def sparql_inner(value: Any) -> str:
    """Return a value as the content of a SPARQL string."""
    return text_of(value).translate(_SPARQL_ESCAPES)


def sparql_bare(name: str, value: Any) -> str:
    """Return a value as a SPARQL token of its own; raise `ArgumentError` if it would be another."""
    return _checked(_SPARQL_TOKEN, name, value, "must be a number, a word or a prefixed name in this query")


def sparql_name_part(name: str, value: Any) -> str:
    """Return a value as a part of a prefixed name, after its colon; raise `ArgumentError` for other characters."""
    return _checked(_SPARQL_NAME_PART, name, value, "must contain only letters, digits, '_' and '-' in this query")


def sparql_variable_part(name: str, value: Any) -> str:
    """Return a value as a part of a variable or a word; raise `ArgumentError` for other characters."""
    return _checked(_SPARQL_VARIABLE_PART, name, value, "must contain only letters, digits and '_' in this query")


def sparql_iri(name: str, value: Any) -> str:
    """Return a value as a whole IRI between `<` and `>`; raise `ArgumentError` for characters that end it."""
    return _checked(_IRI, name, value, "must be an absolute IRI in this query")


def sparql_iri_part(name: str, value: Any) -> str:
    """Return a value as a part of an IRI; raise `ArgumentError` if it could leave its segment."""
    text = _checked(_IRI_PART, name, value, "must contain only characters of one segment of an IRI in this query")
    if has_dot_segment(text):
        raise ArgumentError(name, f"'{name}' must not be '.' or '..' in this query")
    return text


def _checked(allowed: re.Pattern[str], name: str, value: Any, rule: str) -> str:
    text = text_of(value)
    if not allowed.fullmatch(text):
        raise ArgumentError(name, f"'{name}' {rule}")
    return text


def has_empty_segment(path: str) -> bool:
    """Return whether a recipient that decodes the path could read `//` in it."""
    for _ in range(_DECODINGS):
        if _EMPTY_SEGMENT.search(path):
            return True
        if "%" not in path:
            break
        path = unquote(path)
    return False


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
