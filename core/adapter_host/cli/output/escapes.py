"""Text from outside for terminals and logs: control characters can neither start a line nor change a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final

import orjson

from adapter_host.json_numbers import literal, with_literals

_NOT_ASCII_PRINTABLE: Final = re.compile(r"[^ -~]")


def escape(text: str, keep: str = "") -> str:
    r"""Return text with escapes such as `\n` and `\x1b` for all control, format and surrogate characters but `keep`."""
    return _replace(text, keep, lambda char: char.encode("unicode_escape").decode("ascii"))


def to_json(data: Any, *, indent: bool = False) -> str:
    r"""Return JSON with escapes such as `\u009b` for what JSON itself does not escape."""
    options = orjson.OPT_INDENT_2 if indent else None
    try:
        text = orjson.dumps(with_literals(data), literal, options).decode()
    except orjson.JSONEncodeError:
        # Text that is not Unicode: undecodable bytes of headers and file names, as lone surrogates.
        text = json.dumps(data, ensure_ascii=False, indent=2 if indent else None)
    return _replace(text, "\n", _json_escape)


def _replace(text: str, keep: str, escape_char: Callable[[str], str]) -> str:
    if text.isprintable():
        return text

    def replace(match: re.Match[str]) -> str:
        char = match[0]
        # Spaces of other widths are not printable for Python, but harmless.
        is_harmless = char.isprintable() or char in keep or unicodedata.category(char) == "Zs"
        return char if is_harmless else escape_char(char)

    return _NOT_ASCII_PRINTABLE.sub(replace, text)


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index : index + 2].hex()}" for index in range(0, len(units), 2))
