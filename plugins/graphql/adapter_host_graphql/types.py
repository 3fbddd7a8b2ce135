"""The GraphQL types of JSON Schemas, each made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import orjson
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLNullableInputType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    GraphQLUnionType,
)

from .names import legal_names, type_name, unique_name
from .scalars import DECIMAL, JSON, LONG
from .shapes import Defs, Shape, declared_values, read_shape
from .unions import Discriminator, find_discriminator

_INT: Final = range(-(2**31), 2**31)

_SCALARS: Final = {"string": GraphQLString, "number": DECIMAL, "boolean": GraphQLBoolean}

_RESERVED: Final = ("Query", "Mutation", "Subscription", "Int", "Float", "String", "Boolean", "ID", "Long", "Decimal")
_RESERVED_LITERALS: Final = frozenset({"true", "false", "null"})

NamedT = TypeVar("NamedT", bound=GraphQLNamedType)


class Types:
    """Makes types of schemas; the same schema of `$defs` has the same type in every operation."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], GraphQLNamedType] = {}
        self._names = {*_RESERVED, "JSON", "Base64"}

    def output(self, schema: Any, defs: Defs, name: str) -> GraphQLOutputType:
        """Return the type of results; always nullable, as results are not always as their schema says."""
        shape = read_shape(schema, defs)
        if shape.is_object:
            return self._object(shape, defs, name)
        if discriminator := find_discriminator(shape, defs):
            return self._union(shape, discriminator, defs, name)
        if shape.types == {"array"} and _has_items(shape):
            return GraphQLList(self.output(shape.schema["items"], defs, f"{name}Item"))
        return self._leaf(shape, name)

    def input(self, schema: Any, defs: Defs, name: str) -> GraphQLNullableInputType:
        """Return the type of an argument without its nullability."""
        shape = read_shape(schema, defs)
        if shape.is_object:
            return self._input_object(shape, defs, name)
        if shape.types == {"array"} and _has_items(shape):
            return GraphQLList(self._required_input(shape.schema["items"], defs, f"{name}Item"))
        return self._leaf(shape, name)

    def _required_input(self, schema: Any, defs: Defs, name: str) -> GraphQLInputType:
        made = self.input(schema, defs, name)
        return made if _allows_null(read_shape(schema, defs)) else GraphQLNonNull(made)

    def _leaf(self, shape: Shape, name: str) -> GraphQLScalarType | GraphQLEnumType:
        """Return a scalar or an enum."""
        if len(shape.types) != 1 or shape.alternatives:
            return JSON
        (json_type,) = shape.types
        if json_type == "integer":
            return GraphQLInt if _fits_int(shape.schema) else LONG
        if json_type == "string" and len(shape.values) > 1 and all(isinstance(each, str) for each in shape.values):
            return self._enum(shape, name)
        return _SCALARS.get(json_type, JSON)

    def _enum(self, shape: Shape, name: str) -> GraphQLEnumType:
        def make(made_name: str) -> GraphQLEnumType:
            # Names of values may not be literals of other types.
            texts = {f"{text}_" if text in _RESERVED_LITERALS else text: text for text in shape.values}
            names = legal_names(texts, "value")
            values = {names[text]: GraphQLEnumValue(original) for text, original in texts.items()}
            return GraphQLEnumType(made_name, values, description=_description(shape.schema))

        # Values are the same in both directions.
        return self._once(("enum", shape.name, shape.values), shape, name, "", make)

    def _object(self, shape: Shape, defs: Defs, name: str) -> GraphQLObjectType:
        def make(made_name: str) -> GraphQLObjectType:
            def fields() -> dict[str, GraphQLField]:
                properties = shape.schema["properties"]
                names = legal_names(properties)
                return {
                    names[key]: GraphQLField(
                        self.output(schema, defs, made_name + type_name(key)),
                        resolve=_reader(key),
                        description=_description(schema),
                        deprecation_reason=_deprecation(schema),
                    )
                    for key, schema in properties.items()
                }

            return GraphQLObjectType(
                made_name,
                fields,
                is_type_of=lambda value, _: isinstance(value, dict),
                description=_description(shape.schema),
            )

        return self._once(("output", *_identity(shape, name)), shape, name, "", make)

    def _union(self, shape: Shape, found: Discriminator, defs: Defs, name: str) -> GraphQLUnionType:
        def make(made_name: str) -> GraphQLUnionType:
            members = {
                value: self._object(read_shape(schema, defs), defs, made_name + type_name(str(value)))
                for value, schema in found.schemas.items()
            }

            def resolve_type(value: Any, *_: Any) -> str | None:
                key = value.get(found.name) if isinstance(value, dict) else None
                member = members.get(key) if isinstance(key, str) else None
                return None if member is None else member.name

            types = list(dict.fromkeys(members.values()))
            return GraphQLUnionType(made_name, types, resolve_type, description=_description(shape.schema))

        return self._once(("output", *_identity(shape, name)), shape, name, "", make)

    def _input_object(self, shape: Shape, defs: Defs, name: str) -> GraphQLInputObjectType:
        def make(made_name: str) -> GraphQLInputObjectType:
            def fields() -> dict[str, GraphQLInputField]:
                properties = shape.schema["properties"]
                names = legal_names(properties)
                return {
                    names[key]: self._input_field(shape, key, defs, made_name.removesuffix("Input"))
                    for key in properties
                }

            return GraphQLInputObjectType(made_name, fields, description=_description(shape.schema))

        return self._once(("input", *_identity(shape, name)), shape, name, "Input", make)

    def _input_field(self, owner: Shape, key: str, defs: Defs, owner_name: str) -> GraphQLInputField:
        schema = owner.schema["properties"][key]
        made: GraphQLInputType = self.input(schema, defs, owner_name + type_name(key))
        required = key in owner.schema.get("required", ())
        if required and not _allows_null(read_shape(schema, defs)) and not _leads_to(schema, owner.name, defs):
            made = GraphQLNonNull(cast("GraphQLNullableInputType", made))
        # A required field cannot be deprecated.
        reason = None if required else _deprecation(schema)
        return GraphQLInputField(made, description=_description(schema), deprecation_reason=reason, out_name=key)

    def _once(
        self, key: tuple[Any, ...], shape: Shape, name: str, suffix: str, make: Callable[[str], NamedT]
    ) -> NamedT:
        """Return the known type of a schema, or make one with a unique name.

        A schema is named by its name in `$defs`, its title, or its place; `suffix` is that of inputs.
        """
        if key not in self._known:
            title = shape.schema.get("title")
            base = shape.name or (title if isinstance(title, str) and title.strip() else None)
            own = type_name(base) if base else name
            made_name = unique_name(own if own.endswith(suffix) else f"{own}{suffix}", self._names)
            self._names.add(made_name)
            self._known[key] = make(made_name)
        return cast("NamedT", self._known[key])


def _identity(shape: Shape, name: str) -> tuple[Any, ...]:
    """Return the part of a key that equal schemas share: those of one name or title, else of one place."""
    content = orjson.dumps([shape.schema, shape.alternatives], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return shape.name or shape.schema.get("title") or name, content


def _has_items(shape: Shape) -> bool:
    return isinstance(shape.schema.get("items"), Mapping) and "prefixItems" not in shape.schema


def _allows_null(shape: Shape) -> bool:
    return shape.nullable or (not shape.types and not shape.alternatives)


def _leads_to(schema: Any, name: str | None, defs: Defs, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether each value of a schema has one of the schema `name` in it, which no document could write."""
    shape = read_shape(schema, defs)
    if name is None or not shape.is_object or shape.nullable or shape.name is None or shape.name in seen:
        return False
    required = (shape.schema["properties"].get(key) for key in shape.schema.get("required", ()))
    return shape.name == name or any(_leads_to(each, name, defs, seen | {shape.name}) for each in required)


def _fits_int(schema: Mapping[str, Any]) -> bool:
    """Return whether every value fits the 32 bits of `Int`."""
    values = declared_values(schema)
    bounds = [
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    ]
    numbers = [value for value in values or bounds if value is not None]
    if values or None not in bounds:
        return all(isinstance(value, int) and value in _INT for value in numbers)
    return schema.get("format") == "int32"


def _description(schema: Any) -> str | None:
    text = schema.get("description") if isinstance(schema, Mapping) else None
    return text if isinstance(text, str) else None


def _deprecation(schema: Any) -> str | None:
    return "deprecated" if isinstance(schema, Mapping) and schema.get("deprecated") is True else None


def _reader(key: str) -> Callable[..., Any]:
    return lambda source, _: source.get(key)
