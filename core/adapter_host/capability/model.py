"""Base class and helpers of a document's models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A part of a document, frozen. Unknown keys are kept in `model_extra` and reported by the host."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        frozen=True,
        extra="allow",
        coerce_numbers_to_str=True,
        protected_namespaces=(),
        # Pydantic compiles a model with the first one validated: once, and only if a document uses it.
        defer_build=True,
    )


def _none_as_empty(value: Any) -> Any:
    return () if value is None else value


ItemT = TypeVar("ItemT")

ListField = Annotated[tuple[ItemT, ...], BeforeValidator(_none_as_empty)]
"""Field type for a list, as a tuple; an empty key (`binds:`) is an empty list."""


def walk(value: Any, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[Model, tuple[str | int, ...]]]:
    """Yield every model in `value` with its keys in the document, outer before inner."""
    if isinstance(value, Model):
        yield value, loc
        for name, key in _field_keys(type(value)):
            child = getattr(value, name)
            # Nearly all values are text or empty, which have no models.
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
    return tuple((name, field.alias or name) for name, field in model.model_fields.items())


def known_keys(model: type[Model]) -> list[str]:
    """Return the keys of a model in the document."""
    return [key for _, key in _field_keys(model)]
