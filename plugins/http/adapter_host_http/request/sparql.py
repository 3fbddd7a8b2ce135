"""Find the places of tags in a SPARQL query, so that each value is encoded for its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from adapter_host import text_of
from adapter_host_http.encoding import (
    sparql_bare,
    sparql_inner,
    sparql_iri,
    sparql_iri_part,
    sparql_name_part,
    sparql_variable_part,
)

from .templates import TAG

PlaceEncode = Callable[[str, Any], str]
"""Returns the text of an input's value; raises `ArgumentError`."""

_TAG: Final = rf"(?:{TAG.pattern})"
_IRI: Final = re.compile(rf"<(?:{_TAG}|[^\x00-\x20<>\"{{}}|^`\\])*>")
_COMMENT: Final = re.compile(r"#[^\r\n]*")
_QUOTES: Final = ('"""', "'''", '"', "'")
_NAME: Final = re.compile(r"[\w.:%\\-]*:[\w.:%-]*")
_WORDS: Final = re.compile(r"\w+")
_SEPARATORS: Final = frozenset("(){}[],;=!<>|&+*/^ \t\r\n")


def encoders(query: str) -> list[PlaceEncode]:
    """Return the encoder of each tag of a query, in their order (SPARQL 1.1 section 19.8)."""
    found: list[PlaceEncode] = []
    position, token = 0, 0
    while position < len(query):
        if tag := TAG.match(query, position):
            found.append(_bare(query[token:position]))
            position = tag.end()
            continue
        start = position
        if skipped := _IRI.match(query, position):
            found += _in_iri(skipped[0])
            position = skipped.end()
        elif skipped := _COMMENT.match(query, position):
            found += [_words] * _count(skipped[0])
            position = skipped.end()
        elif quote := next((each for each in _QUOTES if query.startswith(each, position)), ""):
            position = _string_end(query, position + len(quote), quote)
            found += [_inner] * _count(query[start:position])
        else:
            # A backslash escapes a quote in a prefixed name.
            position += 2 if query[position] == "\\" else 1
            if query[start] not in _SEPARATORS:
                continue
        token = position
    return found


def _count(text: str) -> int:
    return sum(1 for _ in TAG.finditer(text))


def _inner(name: str, value: Any) -> str:
    return sparql_inner(value)


def _words(_: str, value: Any) -> str:
    """Return the words of a value in a comment, which no line break or escape ends."""
    return " ".join(_WORDS.findall(text_of(value)))


def _bare(before: str) -> PlaceEncode:
    """Return the encoder of a tag outside of strings and IRIs; `before` is the start of its token."""
    if not before:
        return sparql_bare
    if before.startswith("@") or _NAME.fullmatch(TAG.sub("x", before)):
        return sparql_name_part
    return sparql_variable_part


def _in_iri(text: str) -> list[PlaceEncode]:
    return [sparql_iri] if TAG.fullmatch(text[1:-1]) else [sparql_iri_part] * _count(text)


def _string_end(query: str, position: int, quote: str) -> int:
    """Return the position after a string; tags are skipped as a whole."""
    while position < len(query) and not query.startswith(quote, position):
        tag = TAG.match(query, position)
        position = tag.end() if tag else position + (2 if query[position] == "\\" else 1)
    return position + len(quote)
