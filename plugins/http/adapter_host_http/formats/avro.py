"""Avro: one record in binary, as the schema in `outputSchema` says."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import date, datetime, time
from functools import partial
from io import BytesIO
from typing import Any

import fastavro
import orjson
from fastavro.schema import SchemaParseException, UnknownType
from fastavro.utils import generate_one

from .format import Format, FormatDeclaration, reject
from .schema_file import read_schema


def compile_format(declared: FormatDeclaration) -> Format | None:
    """Avro; the schema is read here, and once."""
    file = read_schema(declared, ".avsc")
    if file is None:
        return None
    try:
        schema = fastavro.parse_schema(orjson.loads(file[1]))
    except (ValueError, LookupError, TypeError, SchemaParseException, UnknownType) as error:
        declared.problem(f"'{declared.schema}' is no Avro schema ({type(error).__name__}: {error})")
        return None
    if (name := _find_recursion(schema, ())) is not None:
        declared.problem(f"'{declared.schema}': '{name}' holds itself, which is not supported")
        return None
    if _has_unbounded_array(schema):
        declared.problem(f"'{declared.schema}': an array of what takes no bytes has no bounds")
        return None
    return Format(declared.info, convert=partial(from_avro, schema=schema), encode=partial(to_avro, schema=schema))


def from_avro(body: bytes, charset: str | None, schema: Any) -> Any:
    """Return the data of one record."""
    stream = BytesIO(body)
    try:
        data = fastavro.schemaless_reader(stream, schema, None)
    except (EOFError, LookupError, TypeError, OverflowError, MemoryError):
        reject("it is not as its schema says")
    if stream.tell() != len(body):
        reject("there is more in it than its schema says")
    return _to_json(data)


def to_avro(data: Any, schema: Any) -> bytes:
    """Write data as one record; an empty one that the schema allows when there is no data."""
    out = BytesIO()
    fits = fastavro.validate(data, schema, raise_errors=False)
    fastavro.schemaless_writer(out, schema, data if fits else generate_one(schema))
    return out.getvalue()


def _has_unbounded_array(schema: Any) -> bool:
    """Whether an array somewhere may be of any length in no bytes at all."""
    if isinstance(schema, list):
        return any(map(_has_unbounded_array, schema))
    if not isinstance(schema, Mapping):
        return False
    return ("items" in schema and _is_zero_length(schema["items"])) or _has_unbounded_array(_subschemas(schema))


def _is_zero_length(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return bool(schema == "null")
    if schema["type"] == "fixed":
        return bool(schema["size"] == 0)
    return schema["type"] == "null" or ("fields" in schema and all(map(_is_zero_length, _subschemas(schema))))


def _find_recursion(schema: Any, above: tuple[str, ...]) -> str | None:
    """Return the name of a record within itself: how deep an answer nests would be the upstream's to say."""
    if isinstance(schema, str):
        return schema if schema in above else None
    if isinstance(schema, list):
        return next((name for each in schema if (name := _find_recursion(each, above))), None)
    if not isinstance(schema, Mapping):
        return None
    inner = (*above, schema["name"]) if "fields" in schema else above
    return _find_recursion(_subschemas(schema), inner)


def _subschemas(schema: Mapping[str, Any]) -> list[Any]:
    """Return the schemas within a schema."""
    fields = [field["type"] for field in schema.get("fields", ())]
    return [*fields, *(schema[key] for key in ("items", "values") if key in schema)]


def _to_json(data: Any) -> Any:
    """As JSON has it: bytes in base 64, moments and decimals as text."""
    if isinstance(data, dict):
        return {name: _to_json(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_to_json(each) for each in data]
    if isinstance(data, bytes):
        return b64encode(data).decode()
    if isinstance(data, date | datetime | time):
        return data.isoformat()
    return data if data is None or isinstance(data, str | int | float | bool) else str(data)
