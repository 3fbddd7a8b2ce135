"""Find the property by which the alternatives of a schema differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .shapes import Defs, Shape, read_shape


@dataclass(frozen=True, slots=True)
class Discriminator:
    """The name of a property, and the schema of an object for each of its values."""

    name: str
    schemas: Mapping[str, Any]


def find_discriminator(shape: Shape, defs: Defs) -> Discriminator | None:
    """Return the declared discriminator, or a property with one value in each alternative; None without one."""
    shapes = [read_shape(each, defs) for each in shape.alternatives]
    if not shapes or not all(each.is_object for each in shapes) or shape.schema.get("properties"):
        return None
    declared = shape.schema.get("discriminator")
    if isinstance(declared, Mapping) and isinstance(declared.get("propertyName"), str):
        return _declared(declared, shape, shapes)
    common = set(shapes[0].schema["properties"]).intersection(*(each.schema["properties"] for each in shapes[1:]))
    for name in shapes[0].schema["properties"]:
        if name in common and (found := _by_constant(name, shape, shapes, defs)):
            return found
    return None


def _by_constant(name: str, shape: Shape, shapes: list[Shape], defs: Defs) -> Discriminator | None:
    schemas: dict[str, Any] = {}
    for schema, each in zip(shape.alternatives, shapes, strict=True):
        values = read_shape(each.schema["properties"][name], defs).values
        if not values or not all(isinstance(value, str) and value not in schemas for value in values):
            return None
        schemas.update(dict.fromkeys(values, schema))
    return Discriminator(name, schemas)


def _declared(declared: Mapping[str, Any], shape: Shape, shapes: list[Shape]) -> Discriminator | None:
    """Return the discriminator of OpenAPI: values are mapped to references, others are names of schemas."""
    by_name = {each.name: schema for schema, each in zip(shape.alternatives, shapes, strict=True)}
    if None in by_name or len(by_name) < len(shapes):
        return None
    schemas = {str(name): schema for name, schema in by_name.items()}
    mapping = declared.get("mapping")
    for value, reference in (mapping if isinstance(mapping, Mapping) else {}).items():
        name = reference.rpartition("/")[2] if isinstance(reference, str) else None
        if name in by_name:
            schemas[str(value)] = by_name[name]
    return Discriminator(declared["propertyName"], schemas)
