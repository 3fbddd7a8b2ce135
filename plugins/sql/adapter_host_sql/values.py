"""Values of databases as JSON, and back."""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from adapter_host import ArgumentError, encode_json, parse_json


def to_json(value: Any) -> Any:
    """Return a value of a column as plain data: numbers keep their digits, dates are ISO 8601, bytes are base64."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, decimal.Decimal):
        return parse_json(format(value, "f")) if value.is_finite() else str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [to_json(item) for item in value]
    return str(value)


def size_of(row: Sequence[Any]) -> int:
    """Return about how many bytes a row takes as JSON."""
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row) + 8 * len(row)


def decode_bytes(text: Any) -> bytes:
    """Return the bytes of base64; raise `ValueError`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError("it must be base64") from error


def _decimal(value: Any) -> decimal.Decimal:
    try:
        return decimal.Decimal(repr(value) if isinstance(value, float) else value)
    except (decimal.InvalidOperation, TypeError) as error:
        raise ValueError("it must be a number") from error


CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "numeric": _decimal,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timetz": datetime.time.fromisoformat,
    "timestamp": datetime.datetime.fromisoformat,
    "timestamptz": datetime.datetime.fromisoformat,
    "bytea": decode_bytes,
    "json": lambda value: encode_json(value).decode(),
    "jsonb": lambda value: encode_json(value).decode(),
}
"""Functions from JSON to the Python values of types of PostgreSQL; other types take JSON as it is."""


def convert(name: str, value: Any, type_name: str) -> Any:
    """Return the value of a parameter as its type is due; raise `ArgumentError`."""
    if value is None:
        return None
    if type_name.endswith("[]") and isinstance(value, list):
        return [convert(name, item, type_name[:-2]) for item in value]
    converter = CONVERTERS.get(type_name)
    try:
        return value if converter is None else converter(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(name, f"'{name}' is not of the type {type_name} of the database: {error}") from error


_INTEGER: Final[Mapping[str, Any]] = {"type": "integer"}
_NUMBER: Final[Mapping[str, Any]] = {"type": "number"}
_TEXT: Final[Mapping[str, Any]] = {"type": "string"}

_JSON_TYPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "int2": _INTEGER,
    "int4": _INTEGER,
    "int8": _INTEGER,
    "oid": _INTEGER,
    "float4": _NUMBER,
    "float8": _NUMBER,
    "numeric": _NUMBER,
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "bytea": {"type": "string", "contentEncoding": "base64"},
    "json": {},
    "jsonb": {},
}
"""Types of PostgreSQL; the values of others are texts."""

_AFFINITIES: Final = (
    ("int", _INTEGER),
    ("char", _TEXT),
    ("clob", _TEXT),
    ("text", _TEXT),
    ("date", _TEXT),
    ("real", _NUMBER),
    ("floa", _NUMBER),
    ("doub", _NUMBER),
)
"""Declared types of SQLite, by a part of their names; values of other columns may be of any type."""


def schema_of(engine: str, type_name: str) -> dict[str, Any]:
    """Return the JSON Schema of the values of a type, without null."""
    if engine == "sqlite":
        return dict(next((schema for part, schema in _AFFINITIES if part in type_name.lower()), {}))
    if type_name.endswith("[]"):
        return {"type": "array", "items": nullable(schema_of(engine, type_name[:-2]))}
    return dict(_JSON_TYPES.get(type_name, _TEXT))


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that allows null, too: no database says which columns of a result have none."""
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else schema
