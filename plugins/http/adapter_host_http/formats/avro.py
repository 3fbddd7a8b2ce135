"""Avro: one binary record, described by the schema in `outputSchema`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any

import fastavro
import orjson
from fastavro.schema import SchemaParseException, UnknownType
from fastavro.utils import generate_one

from adapter_host_http.conversions.conversion import Conversion

from .format import Format, FormatDeclaration
from .schema_file import read_schema


def compile_format(declared: FormatDeclaration) -> Format | None:
    """Compile Avro; read the schema once."""
    file = read_schema(declared, ".avsc")
    if file is None:
        return None
    try:
        declaration = orjson.loads(file[1])
        schema = fastavro.parse_schema(declaration)
        conversion = Conversion("avro", schema=declaration)
    except (ValueError, LookupError, TypeError, SchemaParseException, UnknownType) as error:
        declared.problem(f"'{declared.schema}' is not a valid Avro schema ({type(error).__name__}: {error})")
        return None
    if (name := _find_recursion(schema, ())) is not None:
        declared.problem(f"'{declared.schema}': '{name}' contains itself; recursive records are not supported")
        return None
    if _has_unbounded_array(schema):
        declared.problem(f"'{declared.schema}': an array of elements of zero bytes has no size limit")
        return None
    return Format(declared.info, conversion=conversion, encode=partial(to_avro, schema=schema))


def to_avro(data: Any, schema: Any) -> bytes:
    """Encode data as one record; encode a generated record if the data does not match the schema."""
    out = BytesIO()
    fits = fastavro.validate(data, schema, raise_errors=False)
    fastavro.schemaless_writer(out, schema, data if fits else generate_one(schema))
    return out.getvalue()


def _has_unbounded_array(schema: Any) -> bool:
    """Return whether an array could have any number of elements of zero bytes."""
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
    """Return the name of a record that contains itself; an upstream could nest it without a limit."""
    if isinstance(schema, str):
        return schema if schema in above else None
    if isinstance(schema, list):
        return next((name for member in schema if (name := _find_recursion(member, above))), None)
    if not isinstance(schema, Mapping):
        return None
    inner = (*above, schema["name"]) if "fields" in schema else above
    return _find_recursion(_subschemas(schema), inner)


def _subschemas(schema: Mapping[str, Any]) -> list[Any]:
    fields = [field["type"] for field in schema.get("fields", ())]
    return [*fields, *(schema[key] for key in ("items", "values") if key in schema)]
