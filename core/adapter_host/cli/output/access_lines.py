"""The lines of the access log, as text or JSON. A line has its fields in a fixed order, and `-` for absent ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from adapter_host.operation.call_record import CallRecord

from .escapes import escape, to_json

LOGGER: Final = "adapter_host.access"
"""The logger whose level turns the lines off."""

_TEXT: Final = (
    " INFO %s: %s %s %s %.1fms request_id=%s exposer=%s operation=%s error=%s upstream=%s upstream_ms=%s"
    " bytes=%s auth=%s client=%s capability=%s cached=%s"
)


def access_formatter(format_name: str, worker: int | None) -> Callable[[CallRecord], str]:
    """Return a function that formats a record as one line; lines of a worker process contain its number."""
    if format_name == "json":
        return _json_formatter(worker)
    origin = LOGGER if worker is None else f"{LOGGER}[{worker}]"

    def format_text(record: CallRecord) -> str:
        now, site = time.time(), record.site
        upstream_ms: Any = f"{record.upstream_duration * 1000:.1f}" if record.upstream_calls else "-"
        line = _TEXT % (
            origin,
            record.method or record.transport,
            _what(record),
            _status(record),
            record.duration * 1000,
            record.request_id,
            site.exposer or "-",
            record.operation or "-",
            record.error or "-",
            "-" if record.upstream_status is None else record.upstream_status,
            upstream_ms,
            "-" if record.size is None else record.size,
            record.authentication or "-",
            record.client_address or "-",
            _quoted(site.capability),
            record.cached or "-",
        )
        return escape(f"{_local_time(int(now))}.{int(now % 1 * 1000):03d}{line}")

    return format_text


def _what(record: CallRecord) -> str:
    """Return the path template, and the method of the protocol inside of the request."""
    path, message = record.path or "-", record.message
    if message is None:
        return path
    return f"{path} {message}" if record.method else message


def _status(record: CallRecord) -> int | str:
    if record.status is not None:
        return record.status
    return "ok" if record.error is None else "error"


@lru_cache(maxsize=1)
def _local_time(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


@lru_cache(maxsize=1)
def _utc_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return to_json(text) if text and not text.isalnum() else text or "-"


def _json_formatter(worker: int | None) -> Callable[[CallRecord], str]:
    own = {} if worker is None else {"worker": worker}

    def format_json(record: CallRecord) -> str:
        now, site = time.time(), record.site
        members = {
            "time": f"{_utc_time(int(now))}.{int(now % 1 * 1000):03d}+00:00",
            "level": "info",
            "logger": LOGGER,
            "message": f"{record.method or record.transport} {_what(record)} {_status(record)}",
            **own,
            "request_id": record.request_id,
            "capability": site.capability or None,
            "exposer": site.exposer,
            "exposer_type": site.exposer_type,
            "transport": record.transport,
            "method": record.method,
            "path": record.path,
            "protocol_method": record.message,
            "operation": record.operation,
            "calls": record.calls or None,
            "status": _status(record),
            "error": record.error,
            "duration_ms": round(record.duration * 1000, 3),
            "upstream_status": record.upstream_status,
            "upstream_duration_ms": round(record.upstream_duration * 1000, 3) if record.upstream_calls else None,
            "upstream_calls": record.upstream_calls or None,
            "cached": record.cached,
            "bytes": record.size,
            "authentication": record.authentication,
            "client_address": record.client_address,
        }
        present = {name: value for name, value in members.items() if value is not None}
        line = orjson.dumps(present)
        # Other characters may control a terminal.
        return line.decode() if line.isascii() and b"\x7f" not in line else to_json(present)

    return format_json
