"""Media types and sizes, as a document writes them."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from adapter_host.http_syntax import bare_media_type

OCTETS: Final = "application/octet-stream"
"""The media type of bytes of which nothing is known."""

_TOKEN: Final = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE: Final = re.compile(rf"""{_TOKEN}/{_TOKEN}(\s*;\s*{_TOKEN}=({_TOKEN}|"[^"\r\n]*"))*""")
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(B|KiB|MiB|GiB)", re.ASCII)
_UNITS: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def parse_size(text: str) -> int:
    """The bytes that a size such as `512KiB` or `1.5MiB` is; raises `ValueError`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"a size is a number and B, KiB, MiB or GiB, as 512KiB is (given {text[:60]!r})")
    return int(float(match[1]) * _UNITS[match[2]])


def _validate_size(text: str) -> str:
    parse_size(text)
    return text


def _validate_media_type(text: str) -> str:
    if not is_media_type(text):
        raise ValueError(f"a media type is as image/png or text/plain; charset=utf-8 are (given {text[:60]!r})")
    return text


def is_media_type(text: str) -> bool:
    """Whether a text is a media type, with its parameters if it has any (RFC 6838)."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_json(media_type: str) -> bool:
    """Whether what has a media type is JSON."""
    bare = bare_media_type(media_type)
    return bare == "application/json" or bare.endswith("+json")


def is_text(media_type: str) -> bool:
    """Whether what has a media type, or none, is for people to read."""
    bare = bare_media_type(media_type)
    return not bare or is_json(bare) or bare.startswith("text/") or bare.endswith(("xml", "yaml"))


BinarySize = Annotated[str, AfterValidator(_validate_size)]
"""A key of a document's model that says how many bytes there may be: a number and `B`, `KiB`, `MiB` or `GiB`."""

MediaType = Annotated[str, AfterValidator(_validate_media_type)]
"""A key of a document's model that is a media type, with its parameters if it has any."""
