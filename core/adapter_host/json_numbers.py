"""Numbers of JSON whose digits orjson does not keep: integers of more than 64 bits, decimals longer than a float."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

_SHORTEST: Final = 17
"""Characters of the shortest number that may lose digits: a float keeps 15 of them."""

_LONG_NUMBER: Final = b"0" * _SHORTEST

_AS_ZEROS: Final = bytes(0x30 if byte in b"0123456789." else 0x20 for byte in range(256))

_RUNS: Final = re.compile(rb"[0-9.]{%d,}[eE]?" % _SHORTEST)

_64_BITS: Final = range(-(2**63), 2**64)


class LongDecimal(float):
    """A decimal with more digits than a float keeps; `text` has all of them, as JSON."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> LongDecimal:
        value = super().__new__(cls, text)
        value.text = text
        return value

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)

    def __repr__(self) -> str:
        return self.text


def parse_decimal(text: str) -> float:
    """Parse a decimal of JSON, without loss."""
    value = float(text)
    shortest = repr(value)
    # Comparing texts is much faster, and enough for the numbers that programs write.
    if len(text) < _SHORTEST or shortest == text or Decimal(text) == Decimal(shortest):
        return value
    return LongDecimal(text)


def restore_digits(body: bytes, data: Any) -> Any:
    """Return the data of JSON that orjson has parsed, with all digits of its numbers."""
    # A run of digits is found much faster in text than a number in data, and most texts have none.
    if len(body) < _SHORTEST or _LONG_NUMBER not in body.translate(_AS_ZEROS):
        return data
    runs = _RUNS.findall(body)
    if _are_restored(runs) or not any(map(_loses_digits, runs)):
        return data
    try:
        return json.loads(body, parse_float=parse_decimal)
    except RecursionError:
        return data


def _are_restored(runs: list[bytes]) -> bool:
    """Return whether orjson writes the same numbers again: a fast check for those that programs have written."""
    numbers = b"[%b]" % b",".join(runs)
    try:
        return orjson.dumps(orjson.loads(numbers)) == numbers
    except ValueError:
        return False


def _loses_digits(run: bytes) -> bool:
    if run[-1:] in b"eE":
        return True
    if b"." not in run:
        return len(run) > 18
    try:
        return isinstance(parse_decimal(run.decode()), LongDecimal)
    except (InvalidOperation, ValueError):
        # Not a number: an address or a version in a text.
        return False


def literal(value: Any) -> orjson.Fragment:
    """Return the JSON of a `LongDecimal`: the `default` of `orjson.dumps`. Raises `TypeError` for other values."""
    if isinstance(value, LongDecimal):
        return orjson.Fragment(value.text)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def with_literals(data: Any) -> Any:
    """Return data for `orjson.dumps` with the JSON of the integers that it does not encode."""
    if isinstance(data, dict):
        return {key: with_literals(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [with_literals(value) for value in data]
    if isinstance(data, int) and data not in _64_BITS:
        return orjson.Fragment(str(data))
    return data
