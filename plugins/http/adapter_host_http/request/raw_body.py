"""Find the format of a body that is only a text: by its declared media type, or by the text itself."""

from __future__ import annotations

import re
from typing import Final, Literal

from adapter_host import bare_media_type

from .templates import TAG

RawFormat = Literal["json", "json-lines", "xml", "html", "formUrlEncoded", "sparql", "multipart", "text"]

_FORMATS: Final[tuple[tuple[re.Pattern[str], RawFormat], ...]] = (
    (re.compile(r".*[/+]json"), "json"),
    (re.compile(r"application/(x-)?(ndjson|jsonlines|jsonl|json-lines|json-seq)"), "json-lines"),
    (re.compile(r".*[/+]xml"), "xml"),
    (re.compile(r"text/html"), "html"),
    (re.compile(r"application/x-www-form-urlencoded"), "formUrlEncoded"),
    (re.compile(r"application/sparql-(query|update)"), "sparql"),
    (re.compile(r"multipart/.*"), "multipart"),
)
_XML: Final = re.compile(r"\s*<[A-Za-z_!?]")
_FORM: Final = re.compile(r"[^\s=&<>{}\"]+=[^\s&<>{}\"]*(&[^\s=&<>{}\"]+=[^\s&<>{}\"]*)*")
_JSON: Final = re.compile(r"\s*[\[{\"]")


def declared_format(media_type: str) -> RawFormat:
    """Return the format of a media type."""
    bare = bare_media_type(media_type)
    return next((name for pattern, name in _FORMATS if pattern.fullmatch(bare)), "text")


def evident_format(text: str) -> RawFormat:
    """Return the format of a text without a media type; a text of one tag is JSON."""
    if TAG.fullmatch(text.strip()):
        return "json"
    plain = TAG.sub("x", text)
    if _JSON.match(plain):
        return "json"
    if _XML.match(plain):
        return "xml"
    return "formUrlEncoded" if _FORM.fullmatch(plain) else "text"
