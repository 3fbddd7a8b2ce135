"""Media types, and the formats of a capability for them."""

from __future__ import annotations

import re
from typing import Final

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

_LEGAL: Final = re.compile(r"[!#$&^_.+*0-9a-z-]+/[!#$&^_.+*0-9a-z-]+")
_FORMATS: Final = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "text/x-yaml": "yaml",
    "text/xml": "xml",
    "application/xml": "xml",
}

_TEXT_TYPES: Final = frozenset(
    {
        "application/graphql",
        "application/javascript",
        "application/jsonl",
        "application/ndjson",
        "application/sparql-query",
        "application/sparql-update",
        "application/sql",
        "application/x-ndjson",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)


def is_media_type(text: str) -> bool:
    """Return True for a valid media type without parameters."""
    return _LEGAL.fullmatch(text) is not None


def is_json(media_type: str) -> bool:
    """Return True for a media type whose body may be JSON."""
    return media_type in (JSON, "text/json", "*/*", "application/*") or media_type.endswith("+json")


def is_text(media_type: str) -> bool:
    """Return True for a media type whose body is text."""
    return media_type.startswith("text/") or media_type.endswith("+xml") or media_type in _TEXT_TYPES


def format_of(media_type: str) -> str:
    """Return the `outputRawFormat` for a media type; formats that need a schema or a package are binary."""
    if is_json(media_type):
        return "json"
    return _FORMATS.get(media_type) or ("xml" if media_type.endswith("+xml") else "binary")
