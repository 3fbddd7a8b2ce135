"""What the parts of a document have in common: models, frozen, with what they do not know kept aside."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A part of a document. Unknown keys are kept aside (`model_extra`) and reported by the host."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        frozen=True,
        extra="allow",
        coerce_numbers_to_str=True,
        protected_namespaces=(),
        # A model is compiled with the one that is validated first: not again by itself, nor when no document has it.
        defer_build=True,
    )


def _none_as_empty(value: Any) -> Any:
    return () if value is None else value


ItemT = TypeVar("ItemT")

ListField = Annotated[tuple[ItemT, ...], BeforeValidator(_none_as_empty)]
"""A list in a document, as a tuple; an empty key (`binds:`) means an empty list, as people write it."""


def walk(value: Any, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[Model, tuple[str | int, ...]]]:
    """Every model in `value` with its place in the document, outer before inner."""
    if isinstance(value, Model):
        yield value, loc
        for name, key in _field_keys(type(value)):
            child = getattr(value, name)
            # What is text, or empty, has no models; nearly everything is.
            if child and not isinstance(child, str) and isinstance(child, Model | tuple | list | dict):
                yield from walk(child, (*loc, key))
    elif isinstance(value, tuple | list):
        for index, child in enumerate(value):
            yield from walk(child, (*loc, index))
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from walk(child, (*loc, key))


@cache
def _field_keys(model: type[Model]) -> tuple[tuple[str, str], ...]:
    """The fields of a model, each with its key in the document."""
    return tuple((name, field.alias or name) for name, field in model.model_fields.items())


def known_keys(model: type[Model]) -> list[str]:
    """The keys that a part of a document may have."""
    return [key for _, key in _field_keys(model)]
