"""Agreement of an `x-schema` with the other keys of its input or output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapter_host.document.messages import format_value
from adapter_host.schemas.allowed_types import is_compatible, types_of
from adapter_host.schemas.references import referenced
from adapter_host.schemas.schema import Schema
from adapter_host.schemas.values import have_same_values
from adapter_host.schemas.wording import ARTICLES, describe_place, describe_types, describe_values

from .declared_schema import DeclaredSchema
from .spec import InputSpec, OutputSpec

Contradiction = tuple[str, str]
"""A key of an input or an output, and why it contradicts its schema."""

_FIX: Final = "change one of them, or remove it"


def find_contradictions(model: DeclaredSchema, schema: Schema) -> Iterator[Contradiction]:
    """Yield the keys of a model that say something else than its `x-schema`."""
    if isinstance(model, InputSpec):
        yield from _type_contradiction(model.type, schema.types)
        yield from _equal_keys(model, schema)
        yield from _constant(model.value, schema)
    elif isinstance(model, OutputSpec):
        yield from _type_contradiction(model.type, schema.types)
        yield from _constant(model.const, schema, "const")
        yield from _constant(model.value, schema)
        yield from _outputs(model, schema.data, schema.defs)
    yield from _description(model, schema)


def _type_contradiction(declared: str | None, types: frozenset[str]) -> Iterator[Contradiction]:
    if declared in ARTICLES and types and not is_compatible(declared, types):
        yield "type", f"'type' is {declared}, and 'x-schema' allows {describe_types(types)}; {_FIX}"


def _equal_keys(model: InputSpec, schema: Schema) -> Iterator[Contradiction]:
    for key, value in (("pattern", model.pattern), ("minLength", model.min_length), ("maxLength", model.max_length)):
        other = schema.data.get(key)
        if value is not None and other is not None and value != other:
            yield key, f"'{key}' is {format_value(value)}, and {format_value(other)} in 'x-schema'; {_FIX}"
    place = schema.data.get("items") if model.type == "array" else schema.data
    allowed = (place if isinstance(place, Mapping) else {}).get("enum")
    if model.allowed_values and allowed is not None and not have_same_values(model.allowed_values, allowed):
        key = "values" if model.values else "enum"
        yield key, f"'{key}' differs from the values in 'x-schema' ({describe_values(allowed)}); {_FIX}"


def _constant(value: Any, schema: Schema, key: str = "value") -> Iterator[Contradiction]:
    if value is None or (isinstance(value, str) and ("{{" in value or value.startswith("$"))):
        return
    for violation in schema.validate(value)[:1]:
        place = f"'{describe_place(violation.path)}' of the constant" if violation.path else "the constant"
        yield key, f"{place} {violation.message}, says 'x-schema'; {_FIX}"


def _description(model: DeclaredSchema, schema: Schema) -> Iterator[Contradiction]:
    declared = getattr(model, "description", None)
    # The description of a schema that others use too is that of the schema, and not of this use.
    own = model.x_schema.get("description") if isinstance(model.x_schema, Mapping) else None
    if declared and own and declared != own:
        yield "description", "'description' differs from the one in 'x-schema'; remove one"


def _outputs(output: OutputSpec, schema: Any, defs: Mapping[str, Any], path: str = "") -> Iterator[Contradiction]:
    """Yield the contradictions of the outputs in an output: their types, and names that the schema excludes."""
    schema = _followed(schema, defs)
    if not isinstance(schema, Mapping):
        return
    properties = schema.get("properties", {})
    for name, child in (output.properties or {}).items():
        place = f"{path}.{name}" if path else name
        if name not in properties and schema.get("additionalProperties") is False:
            yield "properties", f"'{place}' is not a property of 'x-schema'; {_FIX}"
        yield from _nested(child, properties.get(name), defs, place)
    if isinstance(output.items, OutputSpec):
        yield from _nested(output.items, schema.get("items"), defs, f"{path}[]")


def _nested(output: OutputSpec, schema: Any, defs: Mapping[str, Any], place: str) -> Iterator[Contradiction]:
    types = types_of(schema, defs)
    if output.type in ARTICLES and types and not is_compatible(str(output.type), types):
        key = "items" if place.endswith("[]") else "properties"
        yield key, f"the type of '{place}' is {output.type}, and 'x-schema' allows {describe_types(types)}; {_FIX}"
    yield from _outputs(output, schema, defs, place)


def _followed(schema: Any, defs: Mapping[str, Any]) -> Any:
    for _ in range(20):
        target = referenced(schema, defs)
        if target is None:
            break
        schema = target
    return schema
