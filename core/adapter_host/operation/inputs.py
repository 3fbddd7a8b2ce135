"""The inputs of operations: check values, and parse text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from adapter_host.capability.input_constraints import InputConstraints, describe_length
from adapter_host.capability.spec import InputSpec
from adapter_host.errors import ArgumentError
from adapter_host.expressions.pattern import Pattern, compile_pattern
from adapter_host.expressions.template import text_of
from adapter_host.json_nesting import NestingError, parse_json
from adapter_host.json_numbers import LongDecimal, parse_decimal

_ARTICLES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
}

_LONGEST_NUMBER: Final = 300
"""Characters; a float has no larger integers."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+").fullmatch
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_LEADING_ZEROS: Final = re.compile(r"^([+-]?)0+(?=[0-9])")

_LISTED: Final = 20
"""Allowed values in the message about another one."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _accept_anything(_: Any) -> bool:
    return True


JSON_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and value == value // 1,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}
"""Checks of types by their names in JSON Schema; `1.0` is an integer too."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an operation.

    `in_` is its location in an HTTP request: path, query, header, cookie or body. `whole` means the complete body and
    not one field of it. An input that is not `implicit` is set only by the `with` of a document. An unsupported
    `pattern` raises `PatternError`. `values` are the allowed ones, for an array those of its elements; lengths are
    those of text, in code points.
    """

    name: str
    type: str | None = None
    required: bool = False
    description: str | None = None
    in_: str | None = None
    pattern: str | None = None
    whole: bool = False
    implicit: bool = True
    min_length: int | None = None
    max_length: int | None = None
    values: tuple[Any, ...] = ()
    _compiled: Pattern | None = field(init=False, repr=False, compare=False)
    _is_restricted: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", compile_pattern(self.pattern) if self.pattern else None)
        is_restricted = bool(self.values) or self.min_length is not None or self.max_length is not None
        object.__setattr__(self, "_is_restricted", is_restricted)

    @classmethod
    def declared(cls, spec: InputSpec) -> Input:
        """Return the input that a consumer declares."""
        return cls(
            name=spec.name,
            type=spec.type,
            required=bool(spec.required),
            description=spec.description,
            in_=spec.in_,
            whole=spec.in_ == "body" and spec.name == "body",
            **restrictions(spec),
        )

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of a value."""
        schema: dict[str, Any] = {}
        if self.type in JSON_TYPES:
            schema["type"] = self.type
        if self.description:
            schema["description"] = self.description
        if self.pattern:
            schema["pattern"] = self.pattern
        if self.min_length is not None:
            schema["minLength"] = self.min_length
        if self.max_length is not None:
            schema["maxLength"] = self.max_length
        if self.values:
            allowed = {"enum": list(self.values)}
            schema.update({"items": allowed} if self.type == "array" else allowed)
        return schema

    def parse(self, text: str) -> Any:
        """Parse `text` to a typed value, for protocols that carry text; raise `ArgumentError`."""
        try:
            return _PARSERS.get(self.type or "", str)(text)
        except NestingError as error:
            raise ArgumentError(self.name, f"'{self.name}' is {error}") from None
        except ValueError:
            raise self.type_error(text) from None

    def check(self, value: Any) -> None:
        """Raise `ArgumentError` unless `value` is of the declared type, lengths, pattern and values."""
        if not JSON_TYPES.get(self.type or "", _accept_anything)(value):
            raise self.type_error(value)
        if self._is_restricted:
            self._check_restrictions(value)
        if self._compiled is not None and isinstance(value, str):
            self._check_pattern(self._compiled, value)

    def _check_restrictions(self, value: Any) -> None:
        shortest, longest = self.min_length, self.max_length
        if isinstance(value, str) and not (shortest or 0) <= len(value) <= (len(value) if longest is None else longest):
            expected = describe_length(shortest, longest)
            raise ArgumentError(self.name, f"'{self.name}' must be {expected} (given {len(value)})")
        if self.values:
            for item in value if self.type == "array" else (value,):
                if not self._is_allowed(item):
                    allowed = _describe_values(self.values)
                    raise ArgumentError(self.name, f"'{self.name}' must be one of {allowed} (given {_describe(item)})")

    def _is_allowed(self, value: Any) -> bool:
        # Elements of arrays are texts where the protocol carries text.
        allowed = map(text_of, self.values) if self.type == "array" and isinstance(value, str) else self.values
        # In Python, 1 and true are equal.
        return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in allowed)

    def _check_pattern(self, pattern: Pattern, value: str) -> None:
        if len(value) > pattern.longest:
            message = f"'{self.name}' must be at most {pattern.longest:,} characters long, because of its pattern"
            raise ArgumentError(self.name, message)
        if not pattern.matches(value):
            raise ArgumentError(self.name, f"'{self.name}' must match the pattern {self.pattern}")

    def type_error(self, value: Any) -> ArgumentError:
        """Return the error for a value of another type."""
        expected = _ARTICLES.get(self.type or "", "a value")
        return ArgumentError(self.name, f"'{self.name}' must be {expected} (given {_describe(value)})")


def _describe_values(values: Sequence[Any]) -> str:
    texts = list(map(_describe, values[:_LISTED]))
    return ", ".join([*texts, "..."] if len(values) > _LISTED else texts)


def restrictions(spec: InputConstraints) -> dict[str, Any]:
    """Return the fields of `Input` that restrict its values."""
    return {
        "pattern": spec.pattern,
        "min_length": spec.min_length,
        "max_length": spec.max_length,
        "values": spec.allowed_values,
    }


def _describe(value: Any) -> str:
    if isinstance(value, dict | list):
        return _ARTICLES["object" if isinstance(value, dict) else "array"]
    is_number = isinstance(value, int | LongDecimal)
    text = str(value).lower() if is_number else orjson.dumps(value, default=repr).decode()
    return text if len(text) <= 40 else f"{text[:40]}..."


def _parse_integer(text: str) -> int:
    if not _INTEGER(text) or len(text) > _LONGEST_NUMBER:
        raise ValueError("not an integer")
    return int(text)


def parse_number(text: str) -> int | float:
    """Parse a number of at most 300 characters; raise `ValueError`."""
    match = _NUMBER(text)
    if match is None:
        raise ValueError("not a number")
    if match.lastindex is None:
        return _parse_integer(text)
    if len(text) > _LONGEST_NUMBER or not math.isfinite(float(text)):
        raise ValueError("out of range")
    # JSON has neither a plus sign nor leading zeros.
    return parse_decimal(_LEADING_ZEROS.sub(r"\1", text).removeprefix("+"))


def _parse_boolean(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise ValueError
    return text in ("true", "1")


def _parse_object(text: str) -> Any:
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError
    return value


def _parse_array(text: str) -> Any:
    return parse_json(text) if text.startswith("[") else [text]


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "integer": _parse_integer,
    "number": parse_number,
    "boolean": _parse_boolean,
    "object": _parse_object,
    "array": _parse_array,
}
