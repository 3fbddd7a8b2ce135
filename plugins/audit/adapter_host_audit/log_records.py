"""Records of the audit log as log records of OpenTelemetry, by its semantic conventions where it has a name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapter_host import TRACE_CONTEXT

EVENT: Final = "adapter_host.audit"
"""The beginning of the names of events and of attributes that the conventions do not have."""

_SCOPE: Final = InstrumentationScope("adapter_host_audit")
_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
_NAMES: Final = {
    "authentication": f"{EVENT}.authentication",
    "capability": f"{EVENT}.capability",
    "client_address": "client.address",
    "decision": f"{EVENT}.decision",
    "detail": f"{EVENT}.detail",
    "duration_ms": f"{EVENT}.duration_ms",
    "event": f"{EVENT}.event",
    "exposer": f"{EVENT}.exposer",
    "exposer_type": f"{EVENT}.exposer_type",
    "method": "http.request.method",
    "operation": f"{EVENT}.operation",
    "path": "http.route",
    "reason": f"{EVENT}.reason",
    "request_id": f"{EVENT}.request_id",
    "suppressed": f"{EVENT}.suppressed",
    "transport": f"{EVENT}.transport",
}
_PRINCIPAL_NAMES: Final = {
    "subject": "user.id",
    "issuer": f"{EVENT}.principal.issuer",
    "client": f"{EVENT}.principal.client",
    "scopes": f"{EVENT}.principal.scopes",
}


def log_record(record: Mapping[str, Any], text: str) -> ReadableLogRecord:
    """Return the log record of a record of the audit log, whose JSON `text` is the body."""
    kind = "suppressed" if "suppressed" in record else "event" if "event" in record else "call"
    if kind == "call" and record["decision"] == "refused":
        kind = "refusal"
    return _log_record(kind, _nanoseconds(record["time"]), text, _attributes(record))


def lost_record(count: int) -> ReadableLogRecord:
    """Return the log record about records that were lost, because too many waited for the collector."""
    return _log_record("lost", time.time_ns(), f"{count} audit records were lost", {f"{EVENT}.lost": count})


def _log_record(kind: str, timestamp: int, body: str, attributes: Mapping[str, Any]) -> ReadableLogRecord:
    severity = SeverityNumber.INFO if kind in ("call", "event") else SeverityNumber.WARN
    carrier = TRACE_CONTEXT.get()
    content = LogRecord(
        timestamp=timestamp,
        observed_timestamp=time.time_ns(),
        context=None if carrier is None else _TRACE_CONTEXT.extract(carrier, Context()),
        severity_number=severity,
        severity_text=severity.name,
        body=body,
        attributes=attributes,
        event_name=f"{EVENT}.{kind}",
    )
    return ReadableLogRecord(content, _resource(), _SCOPE)


def _attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {name: record[key] for key, name in _NAMES.items() if record.get(key) is not None}
    principal = record.get("principal") or {}
    attributes.update({name: principal[key] for key, name in _PRINCIPAL_NAMES.items() if key in principal})
    outcome = record.get("outcome")
    if isinstance(outcome, int):
        attributes["http.response.status_code"] = outcome
    elif outcome is not None:
        attributes["error.type"] = outcome
    return attributes


def _nanoseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000


@cache
def _resource() -> Resource:
    """Return the resource of the process; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override the name."""
    return Resource.create({SERVICE_NAME: "adapter-host"}).merge(OTELResourceDetector().detect())
