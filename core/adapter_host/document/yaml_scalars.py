"""Scalars by the YAML 1.2 core schema."""

import re

Scalar = str | int | float | bool | None

TAG_PREFIX = "tag:yaml.org,2002:"
SCALAR_TAGS = frozenset(TAG_PREFIX + name for name in ("str", "int", "float", "bool", "null"))

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("-+.0123456789")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_DIGITS = 1000


def parse_plain(text: str) -> Scalar:
    """Return the value of an unquoted scalar; raise ValueError for a number that is too long."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return _parse_number(text) if text[0] in _NUMBER_STARTS else text


def parse_tagged(text: str, tag: str) -> Scalar:
    """Return the value of a scalar with one of SCALAR_TAGS; raise ValueError when the text does not match it."""
    name = tag.removeprefix(TAG_PREFIX)
    if name == "str":
        return text
    value = parse_plain(text)
    if name == "float" and type(value) is int:
        return float(value)
    if name != ("null" if value is None else type(value).__name__):
        raise ValueError(f"does not match its tag '!!{name}'")
    return value


def _parse_number(text: str) -> str | int | float:
    if _DECIMAL.fullmatch(text):
        return int(_check_length(text))
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(_check_length(text), 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _check_length(digits: str) -> str:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"has more than {_MAX_DIGITS} digits")
    return digits
