"""Avro: one binary record, described by a schema."""

from __future__ import annotations

from base64 import b64encode
from datetime import date, datetime, time
from functools import partial
from io import BytesIO
from typing import Any

import fastavro

from .conversion import Convert
from .errors import reject


def converter(schema: Any) -> Convert:
    """Compile the conversion of records of a schema, which is valid."""
    return partial(_from_avro, schema=fastavro.parse_schema(schema))


def _from_avro(body: bytes, charset: str | None, limit: int, *, schema: Any) -> Any:
    """Return the data of one record."""
    stream = BytesIO(body)
    try:
        data = fastavro.schemaless_reader(stream, schema, None)
    except (EOFError, LookupError, TypeError, OverflowError, MemoryError):
        reject("it does not match the schema")
    if stream.tell() != len(body):
        reject("data after the record")
    return _to_json(data)


def _to_json(data: Any) -> Any:
    """Return data as JSON types: bytes in base64, dates, times and decimals as text."""
    if isinstance(data, dict):
        return {name: _to_json(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_to_json(element) for element in data]
    if isinstance(data, bytes):
        return b64encode(data).decode()
    if isinstance(data, date | datetime | time):
        return data.isoformat()
    return data if data is None or isinstance(data, str | int | float | bool) else str(data)
