"""Find the places of tags in XML, so that each value is encoded for its own (XML 1.0, sections 2 and 3.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final
from xml.parsers import expat

from adapter_host import ArgumentError, text_of
from adapter_host_http.encoding import check_xml, xml_escape

from .templates import TAG

PlaceEncode = Callable[[str, Any], str]
"""Returns the text of an input's value; raises `ArgumentError`."""

_MARKUP: Final = re.compile(
    r"<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|<!--(?P<comment>.*?)(?:-->|\Z)|<\?(?P<instruction>.*?)(?:\?>|\Z)"
    r"|<(?P<tag>(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*)",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_BESIDE: Final = r"(?:\s|<\?.*?\?>|<!--.*?-->)*"
_DOCUMENT: Final = re.compile(rf"{_BESIDE}(?:{TAG.pattern}){_BESIDE}", re.DOTALL)
_DECLARATION: Final = re.compile(r"\ufeff?\s*<\?xml\s.*?\?>", re.DOTALL)
_NAME_PART: Final = re.compile(r"[\w.-]*(?::[\w.-]+)?")
_NAME: Final = re.compile(r"[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?")


def has_document_tag(text: str) -> bool:
    """Return whether a text is one tag, with nothing beside it but a declaration, comments and instructions."""
    return len(TAG.findall(text)) == 1 and _DOCUMENT.fullmatch(text) is not None


def document_text(value: Any) -> str:
    """Return a document without its XML declaration, as there is one before it."""
    return _DECLARATION.sub("", text_of(value), count=1)


def encoders(text: str, fragments: Collection[str]) -> list[PlaceEncode]:
    """Return the encoder of each tag of a text, in their order; the inputs `fragments` are XML themselves."""
    content: PlaceEncode = _content(frozenset(fragments))
    found: list[PlaceEncode] = []
    end = 0
    for markup in _MARKUP.finditer(text):
        found += [content] * _count(text[end : markup.start()])
        end = markup.end()
        kind = markup.lastgroup or ""
        found += _in_tag(markup[kind]) if kind == "tag" else [_ENCODERS[kind]] * _count(markup[kind])
    return [*found, *([content] * _count(text[end:]))]


def _count(text: str) -> int:
    return sum(1 for _ in TAG.finditer(text))


def _in_tag(text: str) -> list[PlaceEncode]:
    """Return the encoders of the tags within `<` and `>`: in names, and in the values of attributes."""
    quoted = [(match.start(), match.end()) for match in _QUOTED.finditer(text)]
    found: list[PlaceEncode] = []
    for tag in TAG.finditer(text):
        if any(start < tag.start() < end for start, end in quoted):
            found.append(xml_escape)
        else:
            before = text[: tag.start()]
            found.append(_name_part if before and (before[-1].isalnum() or before[-1] in "_.-:}") else _name)
    return found


def _content(fragments: frozenset[str]) -> PlaceEncode:
    return lambda name, value: (_fragment if name in fragments else xml_escape)(name, value)


def _fragment(name: str, value: Any) -> str:
    """Return XML that is the content of an element; raise `ArgumentError` for what would leave the element."""
    text = document_text(check_xml(name, value))
    try:
        expat.ParserCreate().Parse(f"<x>{text}</x>", True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ArgumentError(name, f"'{name}' must be well-formed XML without a document type ({reason})") from None
    return text


def _name(name: str, value: Any) -> str:
    return _checked_name(_NAME, name, value)


def _name_part(name: str, value: Any) -> str:
    return _checked_name(_NAME_PART, name, value)


def _checked_name(pattern: re.Pattern[str], name: str, value: Any) -> str:
    text = text_of(value)
    if not pattern.fullmatch(text):
        raise ArgumentError(name, f"'{name}' is a name in XML and must have only letters, digits, '.', '-' and '_'")
    return text


def _cdata(name: str, value: Any) -> str:
    return check_xml(name, value).replace("]]>", "]]]]><![CDATA[>")


def _comment(name: str, value: Any) -> str:
    text = check_xml(name, value)
    if "--" in text or text[:1] == "-" or text[-1:] == "-":
        raise ArgumentError(name, f"'{name}' is in a comment and must have no '--' and no '-' at its start or end")
    return text


def _instruction(name: str, value: Any) -> str:
    text = check_xml(name, value)
    if "?" in text:
        raise ArgumentError(name, f"'{name}' is in a processing instruction and must not contain '?'")
    return text


_ENCODERS: Final = {"cdata": _cdata, "comment": _comment, "instruction": _instruction}
