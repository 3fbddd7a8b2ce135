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

from .format import Declared, Format, refuse
from .schema_file import read_schema


def compile_format(declared: Declared) -> Format | None:
    """Avro; the schema is read here, and once."""
    found = read_schema(declared, ".avsc")
    if found is None:
        return None
    try:
        schema = fastavro.parse_schema(orjson.loads(found[1]))
    except (ValueError, LookupError, TypeError, SchemaParseException, UnknownType) as error:
        declared.problem(f"'{declared.schema}' is no Avro schema ({type(error).__name__}: {error})")
        return None
    if (name := _recursive(schema, ())) is not None:
        declared.problem(f"'{declared.schema}': '{name}' holds itself, which is not supported")
        return None
    if _repeats_nothing(schema):
        declared.problem(f"'{declared.schema}': an array of what takes no bytes has no bounds")
        return None
    return Format(declared.kind, convert=partial(from_avro, schema=schema), encode=partial(to_avro, schema=schema))


def from_avro(body: bytes, charset: str | None, schema: Any) -> Any:
    """Return the data of one record."""
    stream = BytesIO(body)
    try:
        data = fastavro.schemaless_reader(stream, schema, None)
    except (EOFError, LookupError, TypeError, OverflowError, MemoryError):
        refuse("it is not as its schema says")
    if stream.tell() != len(body):
        refuse("there is more in it than its schema says")
    return _plain(data)


def to_avro(data: Any, schema: Any) -> bytes:
    """Write data as one record; an empty one that the schema allows when there is no data."""
    out = BytesIO()
    fits = fastavro.validate(data, schema, raise_errors=False)
    fastavro.schemaless_writer(out, schema, data if fits else generate_one(schema))
    return out.getvalue()


def _repeats_nothing(schema: Any) -> bool:
    """Whether an array somewhere may be of any length in no bytes at all."""
    if isinstance(schema, list):
        return any(map(_repeats_nothing, schema))
    if not isinstance(schema, Mapping):
        return False
    return ("items" in schema and _takes_nothing(schema["items"])) or _repeats_nothing(_parts(schema))


def _takes_nothing(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return bool(schema == "null")
    if schema["type"] == "fixed":
        return bool(schema["size"] == 0)
    return schema["type"] == "null" or ("fields" in schema and all(map(_takes_nothing, _parts(schema))))


def _recursive(schema: Any, above: tuple[str, ...]) -> str | None:
    """Return the name of a record within itself: how deep an answer nests would be the upstream's to say."""
    if isinstance(schema, str):
        return schema if schema in above else None
    if isinstance(schema, list):
        return next((name for each in schema if (name := _recursive(each, above))), None)
    if not isinstance(schema, Mapping):
        return None
    inner = (*above, schema["name"]) if "fields" in schema else above
    return _recursive(_parts(schema), inner)


def _parts(schema: Mapping[str, Any]) -> list[Any]:
    """Return the schemas within a schema."""
    fields = [field["type"] for field in schema.get("fields", ())]
    return [*fields, *(schema[key] for key in ("items", "values") if key in schema)]


def _plain(data: Any) -> Any:
    """As JSON has it: bytes in base 64, moments and decimals as text."""
    if isinstance(data, dict):
        return {name: _plain(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_plain(each) for each in data]
    if isinstance(data, bytes):
        return b64encode(data).decode()
    if isinstance(data, date | datetime | time):
        return data.isoformat()
    return data if data is None or isinstance(data, str | int | float | bool) else str(data)
