"""Keywords of schemas in OpenAPI 2.0 to 3.2, each converted to JSON Schema 2020-12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter_host.document.messages import describe_type
from adapter_host.expressions.pattern import PatternError, compile_pattern
from adapter_host.openapi.source.documents import Cursor

from .json_values import NO_VALUE, json_size, json_value, number

TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})

_LONGEST_EXAMPLE: Final = 256
_MOST_EXAMPLES: Final = 3

Convert = Callable[[Cursor], Any]
"""Convert the schema at a cursor, whose references are not followed."""

Read = Callable[[Cursor, Convert], Any]
"""Return the value of a keyword at a cursor, or NO_VALUE."""


def _skip(cursor: Cursor, expected: str) -> Any:
    cursor.warn(f"expected {expected}, not {describe_type(cursor.value)}; skipped")
    return NO_VALUE


def _text(cursor: Cursor, _: Convert) -> Any:
    if not isinstance(cursor.value, str):
        return _skip(cursor, "text")
    return cursor.value.strip() or NO_VALUE


def _pattern(cursor: Cursor, convert: Convert) -> Any:
    pattern = _text(cursor, convert)
    if pattern is NO_VALUE:
        return NO_VALUE
    try:
        compile_pattern(cursor.value)
    except PatternError as error:
        cursor.warn(f"{error}; not checked")
    return pattern


def _flag(cursor: Cursor, _: Convert) -> Any:
    if not isinstance(cursor.value, bool):
        return _skip(cursor, "true or false")
    return cursor.value or NO_VALUE


def _limit(cursor: Cursor, _: Convert) -> Any:
    limit = number(cursor.value)
    return _skip(cursor, "a number of JSON") if limit is None else limit


def _bound(cursor: Cursor, convert: Convert) -> Any:
    """Return an exclusive bound: a number, or a flag of the bound beside it."""
    return cursor.value if isinstance(cursor.value, bool) else _limit(cursor, convert)


def _divisor(cursor: Cursor, _: Convert) -> Any:
    divisor = number(cursor.value)
    return _skip(cursor, "a number above 0") if divisor is None or divisor <= 0 else divisor


def _count(cursor: Cursor, _: Convert) -> Any:
    count = number(cursor.value)
    if count is None or count < 0 or count != int(count):
        return _skip(cursor, "a whole number that is not below 0")
    return count if count >= 2**64 else int(count)


def _any(cursor: Cursor, _: Convert) -> Any:
    value = json_value(cursor.value)
    return _skip(cursor, "a value of JSON") if value is NO_VALUE else value


def _values(cursor: Cursor, _: Convert) -> Any:
    if not isinstance(cursor.value, list):
        return _skip(cursor, "a list")
    values = json_value(cursor.value)
    return values or _skip(cursor, "a list with a value")


def _example(cursor: Cursor, _: Convert) -> Any:
    return _short([cursor.value])


def _examples(cursor: Cursor, _: Convert) -> Any:
    # OpenAPI 3.0 has a mapping of this name elsewhere, which documents also write here.
    return _short(cursor.value) if isinstance(cursor.value, list) else NO_VALUE


def _short(examples: list[Any]) -> Any:
    values = [json_value(example) for example in examples[:_MOST_EXAMPLES]]
    return [value for value in values if value is not NO_VALUE and json_size(value) <= _LONGEST_EXAMPLE] or NO_VALUE


def _names(cursor: Cursor, _: Convert) -> Any:
    if not isinstance(cursor.value, list):
        return _skip(cursor, "a list")
    names = [name for name in cursor.value if isinstance(name, str)]
    return list(dict.fromkeys(names)) or NO_VALUE


def _schema(cursor: Cursor, convert: Convert) -> Any:
    if not isinstance(cursor.value, dict | bool):
        return _skip(cursor, "a schema")
    return convert(cursor)


def _schemas(cursor: Cursor, convert: Convert) -> Any:
    if not isinstance(cursor.value, list):
        return _skip(cursor, "a list")
    schemas = (_schema(cursor.raw(index), convert) for index in range(len(cursor.value)))
    return [schema for schema in schemas if schema is not NO_VALUE] or NO_VALUE


def _distinct_schemas(cursor: Cursor, convert: Convert) -> Any:
    """Return schemas, each once: twice it would say no more, or for `oneOf` that no value is valid."""
    schemas = _schemas(cursor, convert)
    if schemas is NO_VALUE:
        return schemas
    return [schema for index, schema in enumerate(schemas) if schema not in schemas[:index]]


def _named_schemas(cursor: Cursor, convert: Convert) -> Any:
    if not isinstance(cursor.value, dict):
        return _skip(cursor, "a mapping")
    schemas = {name: _schema(cursor.raw(name), convert) for name in cursor.value}
    return {name: {} if schema is NO_VALUE else schema for name, schema in schemas.items()} or NO_VALUE


def _named_lists(cursor: Cursor, convert: Convert) -> Any:
    if not isinstance(cursor.value, dict):
        return _skip(cursor, "a mapping")
    lists = {name: _names(cursor.raw(name), convert) for name in cursor.value}
    return {name: names for name, names in lists.items() if names is not NO_VALUE} or NO_VALUE


KEYWORDS: Final[Mapping[str, Read]] = {
    "title": _text,
    "description": _text,
    "format": _text,
    "const": _any,
    "enum": _values,
    "default": _any,
    "minimum": _limit,
    "exclusiveMinimum": _bound,
    "maximum": _limit,
    "exclusiveMaximum": _bound,
    "multipleOf": _divisor,
    "minLength": _count,
    "maxLength": _count,
    "pattern": _pattern,
    "contentEncoding": _text,
    "contentMediaType": _text,
    "contentSchema": _schema,
    "items": _schema,
    "prefixItems": _schemas,
    "contains": _schema,
    "minContains": _count,
    "maxContains": _count,
    "minItems": _count,
    "maxItems": _count,
    "uniqueItems": _flag,
    "unevaluatedItems": _schema,
    "properties": _named_schemas,
    "required": _names,
    "patternProperties": _named_schemas,
    "additionalProperties": _schema,
    "propertyNames": _schema,
    "minProperties": _count,
    "maxProperties": _count,
    "dependentRequired": _named_lists,
    "dependentSchemas": _named_schemas,
    "unevaluatedProperties": _schema,
    "allOf": _distinct_schemas,
    "anyOf": _distinct_schemas,
    "oneOf": _distinct_schemas,
    "not": _schema,
    "if": _schema,
    "then": _schema,
    "else": _schema,
    "readOnly": _flag,
    "writeOnly": _flag,
    "deprecated": _flag,
    "example": _example,
    "examples": _examples,
}
"""How to read each keyword; the others say nothing about values."""


def read_type(cursor: Cursor) -> str | list[str] | None:
    """Return the declared type or types; warn about unknown ones."""
    declared = cursor.value
    names = declared if isinstance(declared, list) else [declared]
    known = list(dict.fromkeys(name for name in names if isinstance(name, str) and name in TYPES | {"null", "file"}))
    if len(known) < len(names):
        cursor.warn(f"unknown type; skipped (known: {', '.join(sorted(TYPES))})")
    known = ["string" if name == "file" else name for name in known]
    if not known:
        return None
    return known[0] if len(known) == 1 else known


def read_discriminator(cursor: Cursor, convert: Convert) -> Any:
    """Return a discriminator with references to converted schemas, or NO_VALUE."""
    if isinstance(cursor.value, str):
        return {"propertyName": cursor.value}
    name = cursor.value.get("propertyName") if isinstance(cursor.value, dict) else None
    if not isinstance(name, str):
        return _skip(cursor, "a mapping with a 'propertyName'")
    mapping = cursor.value.get("mapping")
    targets: dict[str, str] = {}
    for value in mapping if isinstance(mapping, dict) else ():
        reference = mapping[value]
        if isinstance(reference, str):
            pointer = reference if "#" in reference or "." in reference else f"#/components/schemas/{reference}"
            converted = convert(
                Cursor(cursor.documents, cursor.document, (*cursor.loc, "mapping", value), {"$ref": pointer})
            )
            if isinstance(converted, dict) and "$ref" in converted:
                targets[value] = converted["$ref"]
    return {"propertyName": name, **({"mapping": targets} if targets else {})}
