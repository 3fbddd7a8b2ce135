"""The inputs of operations: check values, and parse text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapter_host.capability.input_constraints import InputConstraints, describe_length
from adapter_host.capability.spec import InputSpec
from adapter_host.errors import ArgumentError
from adapter_host.expressions.pattern import Pattern, compile_pattern
from adapter_host.expressions.template import text_of
from adapter_host.json_nesting import NestingError, parse_json
from adapter_host.schemas.conversion import convert_text, convert_texts, parse_integer, parse_number
from adapter_host.schemas.schema import Schema
from adapter_host.schemas.violations import Violation
from adapter_host.schemas.wording import ARTICLES, describe_place, describe_value, describe_values, json_pointer

from .wire_format import WireFormat


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

Classes = frozenset[type]

JSON_CLASSES: Final[Mapping[str, Classes]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
    "null": frozenset({type(None)}),
}
"""The classes of most values of a type, to look up `type(value)` before a slower check of `JSON_TYPES`."""

_ANY_CLASS: Final = frozenset({str, int, float, bool, list, dict})


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an operation.

    `in_` is its location in an HTTP request: path, query, header, cookie or body. `whole` means the complete body and
    not one field of it. An input that is not `implicit` is set only by the `with` of a document. An unsupported
    `pattern` raises `PatternError`. `values` are the allowed ones, for an array those of its elements; lengths are
    those of text, in code points. `json_schema` is the declared `x-schema`, `wire` how HTTP requests carry the input.
    An exposed operation has an `offered` input even if it declares others and not this one.
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
    json_schema: Schema | None = None
    wire: WireFormat | None = None
    offered: bool = False
    _is_of_type: Callable[[Any], bool] = field(init=False, repr=False, compare=False)
    _compiled: Pattern | None = field(init=False, repr=False, compare=False)
    _is_restricted: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_is_of_type", JSON_TYPES.get(self.type or "", _accept_anything))
        object.__setattr__(self, "_compiled", compile_pattern(self.pattern) if self.pattern else None)
        is_restricted = bool(self.values) or self.min_length is not None or self.max_length is not None
        is_restricted = is_restricted or self.json_schema is not None
        object.__setattr__(self, "_is_restricted", is_restricted)

    @classmethod
    def declared(cls, spec: InputSpec) -> Input:
        """Return the input that a consumer declares."""
        return cls(
            name=spec.name,
            type=spec.type or type_of(spec.json_schema),
            required=bool(spec.required),
            description=spec.description,
            in_=spec.in_,
            whole=spec.in_ == "body" and spec.name == "body",
            json_schema=spec.json_schema,
            **restrictions(spec),
        )

    @property
    def request_name(self) -> str:
        """Its name in an HTTP request."""
        return self.name if self.wire is None else self.wire.name or self.name

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of a value, with its `$defs`."""
        schema: dict[str, Any] = {} if self.json_schema is None else dict(self.json_schema.data)
        if self.type in JSON_TYPES and not self._has_type(schema):
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
            if self.type == "array":
                schema["items"] = {**_items(schema), "enum": list(self.values)}
            else:
                schema["enum"] = list(self.values)
        return schema

    def _has_type(self, schema: Mapping[str, Any]) -> bool:
        """Return whether a schema says the type itself: the same beside null, several, or one within it."""
        types = frozenset() if self.json_schema is None else self.json_schema.types
        if self.type in types or (self.type == "number" and "integer" in types):
            return "type" in schema or types != {self.type}
        return False

    def parse(self, text: str) -> Any:
        """Parse `text` to a typed value, for protocols that carry text; raise `ArgumentError`."""
        try:
            return _PARSERS.get(self.type or "", str)(text)
        except NestingError as error:
            raise ArgumentError(self.name, f"'{self.name}' is {error}") from None
        except ValueError:
            raise self.type_error(text) from None

    def check(self, value: Any) -> None:
        """Raise `ArgumentError` unless `value` is of the declared type, lengths, pattern, values and schema."""
        if not self._is_of_type(value) and not (value is None and self._allows_null):
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
                    allowed = describe_values(self.values)
                    given = describe_value(item)
                    raise ArgumentError(self.name, f"'{self.name}' must be one of {allowed} (given {given})")
        if self.json_schema is not None and not isinstance(value, bytes):
            violations = self.json_schema.validate(value)
            if violations:
                raise ArgumentError.combine(list(map(self._violation_error, violations)))

    @property
    def unchecked_classes(self) -> Classes:
        """The classes whose own values `check` always accepts, not those of subclasses."""
        if self._is_restricted or self._compiled is not None:
            return frozenset()
        return JSON_CLASSES.get(self.type or "", _ANY_CLASS)

    def prepare(self) -> None:
        """Have the schema compiled before the first call."""
        if self.json_schema is not None:
            self.json_schema.prepare()

    def _violation_error(self, violation: Violation) -> ArgumentError:
        path = violation.path
        place = describe_place((self.name, *path)) if path else f"'{self.name}'"
        in_body = not self.whole and self.in_ in (None, "body")
        pointer = json_pointer((self.name, *path) if in_body else path)
        return ArgumentError(self.name, f"{place} {violation.message}", pointer=pointer)

    @property
    def takes_no_null(self) -> bool:
        """Whether null is the absence of a value, and not one itself."""
        return bool(self.type) and not self.required and not self._allows_null

    @property
    def _allows_null(self) -> bool:
        return self.json_schema is not None and "null" in self.json_schema.types

    def converted(self, value: Any) -> Any:
        """Return a value with the texts in it as the type that is due, where no text is: `"1"` as 1.

        Text of JSON is read where an object or an array is due. Other values stay as they are.
        """
        value = convert_text(value, (self.type,)) if isinstance(value, str) and self.type else value
        return value if self.json_schema is None else convert_texts(value, self.json_schema.validate)

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
        expected = ARTICLES.get(self.type or "", "a value")
        return ArgumentError(self.name, f"'{self.name}' must be {expected} (given {describe_value(value)})")


def type_of(schema: Schema | None) -> str | None:
    """Return the one type that a schema allows beside null; None for several."""
    types = () if schema is None else schema.types - {"null"}
    return next(iter(types)) if len(types) == 1 else None


def _items(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    items = schema.get("items")
    return items if isinstance(items, Mapping) else {}


def restrictions(spec: InputConstraints) -> dict[str, Any]:
    """Return the fields of `Input` that restrict its values."""
    return {
        "pattern": spec.pattern,
        "min_length": spec.min_length,
        "max_length": spec.max_length,
        "values": spec.allowed_values,
    }


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
    "integer": parse_integer,
    "number": parse_number,
    "boolean": _parse_boolean,
    "object": _parse_object,
    "array": _parse_array,
}
