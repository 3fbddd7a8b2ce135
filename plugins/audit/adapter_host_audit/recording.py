"""Records of calls: who called what, with which arguments, and with which outcome."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final

from adapter_host import (
    AUDIT_MEMBERS,
    Arguments,
    Call,
    CallContext,
    ConsumedCall,
    ConsumedOperation,
    InternalError,
    OperationError,
    Result,
    UnavailableError,
    UpstreamStatusError,
    close_stream,
    current_call,
)

from .arguments import ArgumentRecorder
from .audit_log import AuditLog

MAX_UPSTREAM_CALLS: Final = 50
"""Calls of consumed APIs that one record has; further ones are only counted."""


@dataclass(slots=True)
class _UpstreamCalls:
    """The calls of consumed APIs by one call."""

    listed: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def add(self, operation: str, outcome: int | str, cached: str | None) -> None:
        """Add a call; `cached` is set if its response was a kept one."""
        self.count += 1
        if self.count <= MAX_UPSTREAM_CALLS:
            marks = {} if cached is None else {"cached": cached}
            self.listed.append({"operation": operation, "outcome": outcome, **marks})


_CURRENT: Final[ContextVar[_UpstreamCalls | None]] = ContextVar("adapter_host_audit_upstream", default=None)


def record_call(call: Call, name: str, recorder: ArgumentRecorder, log: AuditLog, *, must_record: bool) -> Call:
    """Return a call whose record is written before its caller gets a response.

    With `must_record`, it raises `UnavailableError` while records cannot be written.
    """

    async def recorded(arguments: Arguments) -> Result:
        if must_record and not log.is_available():
            raise UnavailableError("the audit log cannot be written")
        context, started, upstream = current_call(), perf_counter(), _UpstreamCalls()
        members: dict[str, Any] = {}
        record = {**head(context), "operation": name, "arguments": recorder.record(arguments), "decision": "allowed"}

        def write(outcome: int | str) -> bool:
            record.update(members)
            record["outcome"] = outcome
            record["upstream"] = upstream.listed
            if upstream.count > len(upstream.listed):
                record["upstream_count"] = upstream.count
            record["duration_ms"] = round((perf_counter() - started) * 1000, 3)
            return log.write(record)

        token, members_token = _CURRENT.set(upstream), AUDIT_MEMBERS.set(members)
        try:
            result = await call(arguments)
        except BaseException as error:
            if not write(_outcome(error)) and must_record and isinstance(error, Exception):
                raise _unrecorded() from error
            raise
        finally:
            _CURRENT.reset(token)
            AUDIT_MEMBERS.reset(members_token)
        if not write(result.status) and must_record:
            if result.stream is not None:
                await close_stream(result.stream)
            raise _unrecorded()
        return result

    return recorded


def record_upstream(operation: ConsumedOperation, call: ConsumedCall) -> ConsumedCall:
    """Return a call of a consumed API that adds its outcome to the record of the call that makes it."""
    name = f"{operation.namespace}.{operation.name}"

    async def recorded(arguments: Arguments, *, stream: bool = False) -> Result:
        upstream = _CURRENT.get()
        if upstream is None:
            return await call(arguments, stream=stream)
        try:
            result = await call(arguments, stream=stream)
        except BaseException as error:
            upstream.add(name, _outcome(error), error.cached if isinstance(error, UpstreamStatusError) else None)
            raise
        upstream.add(name, result.status, result.cached)
        return result

    return recorded


def now() -> str:
    """Return the time in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def head(context: CallContext) -> dict[str, Any]:
    """Return the members that all records of requests and calls have."""
    return {
        "time": now(),
        "request_id": context.request_id,
        "capability": context.capability,
        "exposer": context.exposer,
        "exposer_type": context.exposer_type,
        "transport": context.transport,
        "principal": _principal(context),
        "authentication": context.authentication,
        "client_address": context.client_address,
    }


def _principal(context: CallContext) -> Mapping[str, Any] | None:
    principal = context.principal
    if principal is None:
        return None
    members = {"subject": principal.subject, "issuer": principal.issuer, "client": principal.client}
    scopes = {"scopes": sorted(principal.scopes)} if principal.scopes else {}
    return {**{name: value for name, value in members.items() if value is not None}, **scopes}


def _outcome(error: BaseException) -> int | str:
    """Return the status of an API, or the title of an error as one word; never its message."""
    if isinstance(error, UpstreamStatusError):
        return error.upstream_status
    if isinstance(error, OperationError):
        return error.title.lower().replace(" ", "-")
    return "internal-error" if isinstance(error, Exception) else "cancelled"


def _unrecorded() -> InternalError:
    return InternalError("the call was made, but it cannot be recorded")
