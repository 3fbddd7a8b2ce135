"""Values of fields and of bodies that are bytes."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from adapter_host import ABSENT, ArgumentError, Arguments

from .templates import Value, render

_DATA_URL: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*);base64,", re.IGNORECASE)
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_NAME: Final = re.compile(r";name=([^;]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class File:
    """The bytes of an argument, with the media type and the name in its `data:` URL."""

    content: bytes
    filename: str | None = None
    media_type: str | None = None


def decode_file(name: str, value: Any) -> File:
    """Return the bytes of base64 text (RFC 4648, section 4), or of a `data:` URL with base64 (RFC 2397).

    The text may have line ends. The parameter `name` of a URL is the name of a file. Raise `ArgumentError`.
    """
    try:
        url = _DATA_URL.match(value)
        text = value[url.end() :] if url else value
        content = b64decode("".join(text.split()), validate=True)
    except (AttributeError, TypeError, ValueError):
        raise ArgumentError(name, f"'{name}' must be bytes as base64 text") from None
    if url is None:
        return File(content)
    filename = _NAME.search(url[2])
    return File(content, unquote(filename[1]) if filename else None, url[1] if _MEDIA_TYPE.fullmatch(url[1]) else None)


def compile_files(name: str, value: Value) -> Callable[[Arguments], list[File]]:
    """Return a function that decodes an argument, or the elements of one; `name` is that of the input."""
    return lambda arguments: [decode_file(name, each) for each in as_list(render(value, arguments))]


def as_list(value: Any) -> list[Any]:
    """Return the values to send for one field: the elements of an array, none for null and absent."""
    values = value if isinstance(value, list | tuple) else [value]
    return [value for value in values if value is not None and value is not ABSENT]
