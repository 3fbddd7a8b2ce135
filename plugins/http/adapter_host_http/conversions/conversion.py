"""A conversion that a worker process can run, too: the name of its module, and options as JSON."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import orjson

from .errors import FormatError, TooLargeError

Convert = Callable[[bytes, str | None, int], Any]
"""Return a response's data from its bytes, their declared charset and the limit of its size as JSON.

Raise `ValueError`; `FormatError` and `TooLargeError` have reasons.
"""


class Conversion:
    """A conversion compiled for one operation: `converter` of a module of this package, called with options."""

    __slots__ = ("convert", "module", "options")

    def __init__(self, module: str, **options: Any) -> None:
        self.module = module
        self.options = orjson.dumps(options)
        self.convert = compile_converter(module, self.options)


def compile_converter(module: str, options: bytes) -> Convert:
    """Compile the converter of a module of this package; `options` is a JSON object."""
    convert: Convert = import_module(f"{__package__}.{module}").converter(**orjson.loads(options))
    return convert


def encode_data(data: Any, limit: int) -> bytes:
    """Return data as JSON; raise `FormatError` for a value beyond JSON, `TooLargeError` beyond the limit."""
    try:
        body = orjson.dumps(data)
    except orjson.JSONEncodeError:
        raise FormatError("a value cannot be represented in JSON") from None
    if len(body) > limit:
        raise TooLargeError
    return body
