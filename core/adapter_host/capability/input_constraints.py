"""Constraints of inputs: patterns, lengths and allowed values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from adapter_host.document.messages import count_noun, format_value
from adapter_host.expressions.template import text_of

from .model import ListField, Model
from .pattern_text import PatternText


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _accept(_: Any) -> bool:
    return True


_TYPES: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "integer": ("an integer", lambda value: _is_number(value) and value == value // 1),
    "number": ("a number", _is_number),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
}


def _check_scalars(values: Any, info: ValidationInfo) -> Any:
    for value in values if isinstance(values, list | tuple) else ():
        if not isinstance(value, str | int | float | None):
            raise ValueError(f"'{info.field_name}' must be texts, numbers, true or false (given {format_value(value)})")
    return values


_Values = Annotated[ListField[Any], Field(min_length=1), BeforeValidator(_check_scalars)]


class InputConstraints(Model):
    """The type of an input, and its constraints: lengths of text in code points, and its allowed values.

    `values` (or `enum`) of an array are those of its elements.
    """

    type: str | None = None
    pattern: PatternText | None = None
    min_length: int | None = Field(None, ge=0)
    max_length: int | None = Field(None, ge=0)
    values: _Values = ()
    enum: _Values = ()

    @model_validator(mode="after")
    def _check_constraints(self) -> Self:
        shortest, longest = self.min_length, self.max_length
        if shortest is not None and longest is not None and shortest > longest:
            raise ValueError(f"'minLength' must be at most 'maxLength' (given {shortest} and {longest})")
        if self.values or self.enum:
            self._check_values("values" if self.values else "enum")
        return self

    def _check_values(self, key: str) -> None:
        if self.type == "object":
            raise ValueError(f"'{key}' must not be set for the type object; remove it")
        expected, is_valid = _TYPES.get(self.type or "", ("", _accept))
        for value in (*self.values, *self.enum):
            if value is not None and not is_valid(value):
                raise ValueError(f"'{key}' must each be {expected} (given {format_value(value)}); change it, or 'type'")

    @property
    def allowed_values(self) -> tuple[Any, ...]:
        """The allowed values, as the type; empty if they are not limited."""
        values = (*self.values, *self.enum)
        # YAML reads texts such as 1 and true as other types.
        return tuple(map(text_of, values)) if self.type == "string" else values


def describe_length(minimum: int | None, maximum: int | None) -> str:
    """Return the allowed lengths in words."""
    longest = minimum if maximum is None else maximum
    prefix = "at most " if minimum is None else "at least " if maximum is None else ""
    if minimum is not None and maximum is not None and minimum != maximum:
        prefix = f"{minimum} to "
    return f"{prefix}{count_noun(longest or 0, 'character')} long"
