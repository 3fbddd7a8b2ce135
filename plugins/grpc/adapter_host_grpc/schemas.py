"""Messages from JSON Schemas: objects become messages, arrays lists, and alternatives `Value`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from .model import MAX_NUMBER, STRUCT, VALUE, Enum, Field, Message, ProtoFile, Type
from .names import UniqueNames, pascal_case, snake_case, upper_case

OPTIONS: Final = "x-grpc"
"""The keyword of a property with its `number`."""

_RESERVED: Final = range(19_000, 20_000)
_MAX_INT64: Final = 2**63 - 1
_MOST_CONSTANTS: Final = 1000
_SCALARS: Final[Mapping[str, Type]] = {
    "string": Type("string"),
    "number": Type("double"),
    "boolean": Type("bool"),
}
_ANYTHING: Final = Type(VALUE)
_ANNOTATIONS: Final = frozenset({"description", "title", "default", "examples", "deprecated", "readOnly", "writeOnly"})
_SHAPE: Final = frozenset(
    {"type", "properties", "items", "prefixItems", "enum", "const", "allOf", "anyOf", "oneOf", "additionalProperties"}
)
_DEFS: Final = "#/$defs/"


class NumberError(ValueError):
    """A pinned number is not possible; the message says why."""


def number_fields(keys: Iterable[str], pinned: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of fields: pinned ones, then the free ones from 1 in the order of declaration.

    Raise `NumberError`.
    """
    numbers: dict[str, int] = {}
    names = list(keys)
    for key in names:
        if key in pinned:
            number = pinned[key]
            if not 1 <= number <= MAX_NUMBER or number in _RESERVED:
                raise NumberError(
                    f"the number {number} of '{key}' is not possible; use 1 to {MAX_NUMBER} without 19000 to 19999"
                )
            if number in numbers.values():
                raise NumberError(f"the number {number} of '{key}' is used twice; choose another")
            numbers[key] = number
    taken = set(numbers.values())
    free = (number for number in range(1, MAX_NUMBER + 1) if number not in taken and number not in _RESERVED)
    return {key: numbers[key] if key in numbers else next(free) for key in names}


class SchemaCompiler:
    """Adds the messages of schemas to a file; a schema that several name becomes one message.

    Messages of inputs and results differ, as only inputs must tell an empty list from an absent one.
    """

    def __init__(self, file: ProtoFile, names: UniqueNames, *, is_input: bool) -> None:
        self._file = file
        self._names = names
        self._is_input = is_input
        self._defs: Mapping[str, Any] = {}
        self._shared: dict[str, tuple[Any, Message]] = {}
        self._enums: dict[tuple[str | None, ...], Enum] = {}

    def object(self, name: str, schema: Mapping[str, Any], pinned: Mapping[str, int]) -> Message:
        """Return the message of a schema with `properties`, under this name."""
        self._defs = schema.get("$defs", {})
        return self._message(name, self._merged(schema) or schema, pinned)

    def result(self, name: str, schema: Mapping[str, Any], pinned: Mapping[str, int]) -> Message:
        """Return the message of any schema; a result that is no object with declared members is in the field `result`.

        Null in the place of an object is a message without fields.
        """
        self._defs = schema.get("$defs", {})
        merged = self._merged(schema)
        if merged is not None and _types(merged) - {"null"} == {"object"} and merged.get("properties"):
            return self._message(name, merged, pinned)
        return self._wrapper(name, "result", schema, pinned)

    def _wrapper(self, name: str, key: str, schema: Any, pinned: Mapping[str, int]) -> Message:
        message = self._add(Message(self._names.add(name), wraps=True))
        number = number_fields([key], pinned)[key]
        message.fields.append(self._field(message, key, key, number, schema, required=True))
        return message

    def _add(self, message: Message) -> Message:
        self._file.messages.append(message)
        return message

    def _message(self, name: str, schema: Mapping[str, Any], pinned: Mapping[str, int]) -> Message:
        message = self._add(Message(self._names.add(name), description=schema.get("description")))
        self._fill(message, schema, pinned)
        return message

    def _fill(self, message: Message, schema: Mapping[str, Any], pinned: Mapping[str, int]) -> None:
        properties: Mapping[str, Any] = schema.get("properties", {})
        required = frozenset(schema.get("required", ()))
        numbers = number_fields(properties, {**dict(_pinned(properties)), **pinned})
        names = UniqueNames()
        # A name that is legal stays, wherever it is declared.
        by_key = {key: names.add(key) for key in properties if snake_case(key) == key}
        by_key |= {key: names.add(snake_case(key)) for key in properties if key not in by_key}
        for key, child in properties.items():
            field = self._field(message, key, by_key[key], numbers[key], child, required=key in required)
            message.fields.append(field)
        rest = schema.get("additionalProperties", False)
        if rest is not False:
            name = names.add("additional_properties")
            schema = {"type": "object", "additionalProperties": {} if rest is True else rest}
            field = self._field(message, name, name, MAX_NUMBER, schema, required=True)
            field.rest = True
            message.fields.append(field)
        for field in message.fields:
            if field.blank:
                field.blank = names.add(field.blank)

    def _field(self, message: Message, key: str, name: str, number: int, schema: Any, *, required: bool) -> Field:
        type_, nullable = self._type(schema, f"{message.name}{pascal_case(name)}")
        # Absent and empty collections are the same, and so are absent and null values; a `Value` has its own null.
        if type_.collection == "one":
            needs_blank = nullable and not required and type_ != _ANYTHING
        else:
            needs_blank = nullable or not required
        return Field(
            key=key,
            name=name,
            number=number,
            type=type_,
            description=_description(schema),
            required=required,
            nullable=nullable,
            blank=f"{name}_blank" if self._is_input and needs_blank else None,
        )

    def _type(self, schema: Any, name: str) -> tuple[Type, bool]:
        """Return the type of a schema, and whether it allows null."""
        merged = self._merged(schema)
        if merged is None:
            return _ANYTHING, True
        types = _types(merged)
        nullable = "null" in types or None in merged.get("enum", ())
        types -= {"null"}
        if merged.get("anyOf") or merged.get("oneOf"):
            return self._choice(merged, name, nullable=nullable)
        if len(types) != 1:
            return _ANYTHING, True
        (only,) = types
        if only == "object":
            return self._object_type(schema, merged, name), nullable
        if only == "array":
            return self._array_type(merged, name), nullable
        if only == "integer":
            return Type("uint64" if _is_unsigned(merged) else "int64"), nullable
        if only == "string" and (values := _texts(merged)):
            return Type(self._enum(name, values, _reference(schema))), nullable
        return _SCALARS[only], nullable

    def _choice(self, merged: Mapping[str, Any], name: str, *, nullable: bool) -> tuple[Type, bool]:
        """Return the type of alternatives: the only one beside null, an enum, or `Value`."""
        alternatives = [*merged.get("anyOf", ()), *merged.get("oneOf", ())]
        others = [each for each in alternatives if not (isinstance(each, Mapping) and _types(each) == {"null"})]
        if len(others) == 1 and not merged.keys() & (_SHAPE - {"anyOf", "oneOf", "type"}):
            found, inner = self._type(others[0], name)
            return found, inner or nullable or len(others) < len(alternatives)
        constants = [text for each in others for text in (_texts(each) if isinstance(each, Mapping) else None) or [""]]
        if others and all(constants):
            return Type(self._enum(name, constants)), nullable or len(others) < len(alternatives)
        return _ANYTHING, True

    def _object_type(self, schema: Any, merged: Mapping[str, Any], name: str) -> Type:
        if merged.get("properties"):
            shared = _reference(schema)
            return Type(self._message(name, merged, {}) if shared is None else self._shared_message(shared, merged))
        values = merged.get("additionalProperties")
        if not isinstance(values, Mapping) or "patternProperties" in merged:
            return Type(STRUCT)
        return Type(self._element(values, f"{name}Value").kind, "map")

    def _array_type(self, merged: Mapping[str, Any], name: str) -> Type:
        items = merged.get("items", True) if "prefixItems" not in merged else True
        return Type(self._element(items, f"{name}Item").kind, "list")

    def _element(self, schema: Any, name: str) -> Type:
        """Return the type of an element: neither a collection, which is wrapped, nor null in an input."""
        found, nullable = self._type(schema, name)
        if nullable and self._is_input:
            return _ANYTHING
        if found.collection == "one":
            return found
        wrapper = self._add(Message(self._names.add(name), wraps=True))
        wrapper.fields.append(Field("items", "items", 1, found, required=True))
        return Type(wrapper)

    def _shared_message(self, key: str, merged: Mapping[str, Any]) -> Message:
        known = self._shared.get(key)
        if known is not None and known[0] == self._defs[key]:
            return known[1]
        message = Message(self._names.add(self._shared_name(key)), description=merged.get("description"))
        # Known before its fields, which may refer to it.
        self._shared[key] = (self._defs[key], message)
        self._add(message)
        self._fill(message, merged, {})
        return message

    def _enum(self, name: str, values: list[str], shared: str | None = None) -> Enum:
        key = (shared, *values)
        if shared is not None and key in self._enums:
            return self._enums[key]
        if shared is not None:
            name = self._shared_name(shared)
        texts = list(dict.fromkeys(values))
        unique = self._names.add(name)
        prefix = upper_case(unique)
        constants = [self._names.add(f"{prefix}_{upper_case(text)}") for text in ("UNSPECIFIED", *texts)]
        enum = self._enums[key] = Enum(unique, constants, ["", *texts])
        self._file.enums.append(enum)
        return enum

    def _shared_name(self, key: str) -> str:
        # Those of an API that describes itself have its name in front.
        name = pascal_case(key.rpartition(".")[2])
        return f"{name}Input" if self._is_input else name

    def _merged(self, schema: Any, within: frozenset[str] = frozenset()) -> dict[str, Any] | None:
        """Return a schema with the keywords that `$ref` and `allOf` add to it; None where protobuf cannot say it."""
        if not isinstance(schema, Mapping):
            return None
        parts = list(schema.get("allOf", ()))
        if "$ref" in schema:
            target = schema["$ref"].removeprefix(_DEFS)
            if target in within:
                return None
            within |= {target}
            parts.append(self._defs.get(target))
        merged = {key: value for key, value in schema.items() if key not in ("allOf", "$ref", "$defs")}
        for part in parts:
            inner = self._merged(part, within)
            if inner is None or not _join(merged, inner):
                return None
        return merged


def _join(merged: dict[str, Any], other: Mapping[str, Any]) -> bool:
    """Add the keywords of a schema that also applies; return False if they are not of one shape."""
    for key, value in other.items():
        if key == "properties":
            merged[key] = {**value, **merged.get(key, {})}
        elif key == "required":
            merged[key] = list(dict.fromkeys([*merged.get(key, ()), *value]))
        elif key == "type" and key in merged:
            common = _types(merged) & _types(other)
            if not common:
                return False
            merged[key] = sorted(common)
        elif key in ("anyOf", "oneOf", "items") and key in merged and merged[key] != value:
            return False
        elif key == "additionalProperties" and key in merged:
            merged[key] = merged[key] if value is not False else False
        else:
            merged.setdefault(key, value)
    return True


def _pinned(properties: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, schema in properties.items():
        options = schema.get(OPTIONS) if isinstance(schema, Mapping) else None
        if isinstance(options, Mapping) and isinstance(options.get("number"), int):
            yield key, options["number"]


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    named = schema.get("type")
    if isinstance(named, str):
        return frozenset((named,))
    if isinstance(named, list):
        types = frozenset(named)
        return types - {"integer"} if "number" in types else types
    if _texts(schema):
        return frozenset(("string",))
    if "properties" in schema or isinstance(schema.get("additionalProperties"), Mapping):
        return frozenset(("object",))
    return frozenset(("array",)) if "items" in schema else frozenset()


def _texts(schema: Mapping[str, Any]) -> list[str] | None:
    """Return the texts that an `enum` or `const` allows; None if it allows others."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    texts = [value for value in values if value is not None]
    is_enum = 0 < len(texts) <= _MOST_CONSTANTS and all(isinstance(value, str) and value for value in texts)
    return texts if is_enum else None


def _is_unsigned(schema: Mapping[str, Any]) -> bool:
    maximum = schema.get("maximum")
    return schema.get("format") == "uint64" or (isinstance(maximum, int | float) and maximum > _MAX_INT64)


def _reference(schema: Any) -> str | None:
    """Return the name of the schema that another only refers to."""
    if not isinstance(schema, Mapping) or not schema.keys() <= _ANNOTATIONS | {"$ref", OPTIONS}:
        return None
    reference = schema.get("$ref")
    return reference.removeprefix(_DEFS) if isinstance(reference, str) else None


def _description(schema: Any) -> str | None:
    text = schema.get("description") if isinstance(schema, Mapping) else None
    return text if isinstance(text, str) else None
