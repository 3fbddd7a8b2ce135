"""Media types and sizes of a document."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from adapter_host.http_syntax import bare_media_type

OCTETS: Final = "application/octet-stream"
"""The media type of bytes of unknown content."""

_TOKEN: Final = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE: Final = re.compile(rf"""{_TOKEN}/{_TOKEN}(\s*;\s*{_TOKEN}=({_TOKEN}|"[^"\r\n]*"))*""")
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(B|KiB|MiB|GiB)", re.ASCII)
_UNITS: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `512KiB` or `1.5MiB`; raise `ValueError`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid size {text[:60]!r}; use a number with B, KiB, MiB or GiB, such as 512KiB")
    return int(float(match[1]) * _UNITS[match[2]])


def _validate_size(text: str) -> str:
    parse_size(text)
    return text


def _validate_media_type(text: str) -> str:
    if not is_media_type(text):
        raise ValueError(f"invalid media type {text[:60]!r}; use a type such as image/png or text/plain; charset=utf-8")
    return text


def is_media_type(text: str) -> bool:
    """Return True for a media type, with or without parameters (RFC 6838)."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_json(media_type: str) -> bool:
    """Return True if the media type is JSON."""
    bare = bare_media_type(media_type)
    return bare == "application/json" or bare.endswith("+json")


def is_text(media_type: str) -> bool:
    """Return True if the media type is readable text; also for an empty one."""
    bare = bare_media_type(media_type)
    return not bare or is_json(bare) or bare.startswith("text/") or bare.endswith(("xml", "yaml"))


BinarySize = Annotated[str, AfterValidator(_validate_size)]
"""Field type for a number of bytes: a number with `B`, `KiB`, `MiB` or `GiB`."""

MediaType = Annotated[str, AfterValidator(_validate_media_type)]
"""Field type for a media type, with or without parameters."""
