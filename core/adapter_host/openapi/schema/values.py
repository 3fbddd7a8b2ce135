"""The values of an input: the language's words for them, and the JSON Schema of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from adapter_host.openapi.source.documents import Cursor
from adapter_host.schemas.allowed_types import disjoint_types, is_compatible, types_of
from adapter_host.schemas.validator import is_supported
from adapter_host.schemas.wording import describe_types

from .json_schema import POINTER, SchemaConverter
from .schemas import all_of_parts, array_items, description_of, single_alternative, type_of

_OCTETS: Final = "application/octet-stream"
_TYPES_OF_VALUES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


@dataclass(frozen=True, slots=True)
class Values:
    """The values of an input: `words` are keys of the language, `schema` has the rest."""

    words: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    description: str | None = None

    @property
    def type(self) -> str | None:
        """The type of all values, or None."""
        return self.words.get("type")


def describe_values(schema: Cursor | None, converter: SchemaConverter) -> Values:
    """Return the values of a schema at a cursor whose references are not followed."""
    if schema is None:
        return Values()
    resolved = schema.documents.resolve(schema)
    if resolved is None or not isinstance(resolved.value, dict | bool):
        return Values()
    converted = converter.convert(schema)
    if isinstance(converted, bool):
        return Values(schema=None if converted else {"not": {}})
    rest = dict(converted)
    description = rest.pop("description", None) or description_of(resolved)
    if (disjoint := disjoint_types(converted, converter.shared, pointer=POINTER)) is not None:
        one, other = map(describe_types, disjoint)
        schema.warn(f"no value is valid, as it must be both {one} and {other}; imported as it is")
        return Values(schema=rest, description=description)
    return Values(_take_words(rest, type_of(resolved), converter.shared), rest or None, description)


def _take_words(rest: dict[str, Any], type_name: str | None, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Remove from a schema the keywords that the language has words for, and return the words."""
    words: dict[str, Any] = {}
    if (word := _take_type(rest, type_name, shared)) is not None:
        words["type"] = word
    if "$ref" in rest:
        return words
    is_plain = "type" not in rest
    if is_plain and words.get("type") == "string":
        if "pattern" in rest and is_supported(rest["pattern"]):
            words["pattern"] = rest.pop("pattern")
        shortest, longest = rest.get("minLength"), rest.get("maxLength")
        if shortest is None or longest is None or shortest <= longest:
            words.update({key: rest.pop(key) for key in ("minLength", "maxLength") if key in rest})
    if is_plain and "enum" in rest and _are_words(rest["enum"], words.get("type")):
        words["values"] = rest.pop("enum")
    return words


def _take_type(rest: dict[str, Any], type_name: str | None, shared: Mapping[str, Any]) -> str | None:
    """Remove the type from a schema, and return the word for it; None where the schema must say it itself.

    `type_name` is the type of all values but null of a schema that has no `type` of its own.
    """
    own = rest.get("type")
    if isinstance(own, str):
        others = types_of({key: value for key, value in rest.items() if key != "type"}, shared, pointer=POINTER)
        if not others or (is_compatible(own, others) and "null" not in others):
            del rest["type"]
        return own
    allowed = types_of(rest, shared, pointer=POINTER)
    if type_name is None or (allowed and not is_compatible(type_name, allowed)):
        return None
    # A word beside a schema that does not name null excludes null.
    allows_null = "null" in types_of(rest, shared, pointer=POINTER, infers=True)
    return None if allows_null and "null" not in allowed else type_name


def _are_words(values: list[Any], type_name: str | None) -> bool:
    expected = _TYPES_OF_VALUES.get(type_name or "")
    if expected is None:
        return False
    return all(
        isinstance(value, expected) and (type_name == "boolean" or not isinstance(value, bool)) for value in values
    )


def text_values(values: Values) -> Values:
    """Return values that are sent as the callers send them: text in base64 is not decoded."""
    schema = _without_encoding(values.schema or {})
    if isinstance(schema.get("items"), Mapping):
        schema["items"] = _without_encoding(schema["items"])
    return replace(values, schema=schema or None)


def _without_encoding(schema: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in schema.items() if key != "contentEncoding"}
    return {"format": "byte", **rest} if schema.get("contentEncoding") == "base64" else dict(schema)


def bytes_schema(media_type: str = _OCTETS) -> dict[str, Any]:
    """Return the schema of bytes that callers send as base64."""
    return {"contentEncoding": "base64", "contentMediaType": media_type}


def is_binary(schema: Cursor | None) -> bool:
    """Return True if a value is bytes, or an array of bytes; a schema's references are followed."""
    if schema is None:
        return False
    resolved = schema.documents.resolve(schema)
    holder = array_items(single_alternative(resolved))
    return any(_is_bytes(part.value) for part in all_of_parts(single_alternative(holder)))


def _is_bytes(value: Mapping[str, Any]) -> bool:
    if value.get("type") == "file" or value.get("format") == "binary":
        return True
    return "contentMediaType" in value and "contentEncoding" not in value and "contentSchema" not in value


def describe_bytes(schema: Cursor, converter: SchemaConverter, media_type: str | None) -> Values:
    """Return the values of a field of a form that is a file, or an array of files."""
    resolved = schema.documents.resolve(schema)
    holder = single_alternative(resolved)
    declared = next((part.value.get("contentMediaType") for part in all_of_parts(array_items(holder))), None)
    content = bytes_schema(media_type or (declared if isinstance(declared, str) else _OCTETS))
    description = description_of(resolved)
    if type_of(holder) != "array":
        return Values({"type": "string"}, content, description)
    converted = describe_values(schema, converter)
    limits = {key: value for key, value in (converted.schema or {}).items() if key in ("minItems", "maxItems")}
    return Values({"type": "array"}, {**limits, "items": {"type": "string", **content}}, description)
