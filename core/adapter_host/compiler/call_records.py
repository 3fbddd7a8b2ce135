"""Fill in the records of the access log; only hosts with an access log call these functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from adapter_host.errors import UpstreamStatusError
from adapter_host.operation.call_record import CURRENT_RECORD, CallRecord, error_name
from adapter_host.operation.callers import CallSite, current_call
from adapter_host.operation.operation import Arguments, Call, Operation
from adapter_host.operation.result import Result
from adapter_host.plugin.consumer import ConsumedCall

AccessLog = Callable[[CallRecord], None]


def record_operation(call: Call, operation: Operation, site: CallSite, write: AccessLog) -> Call:
    """Return the call of an operation, which adds the operation and its error to the record of its request.

    A call without a request, as by `Host.call`, has a record of its own.
    """
    name, spec, paths = operation.name, id(operation.spec), site.paths

    async def recorded(arguments: Arguments) -> Result:
        record = CURRENT_RECORD.get()
        if record is None:
            return await _call_alone(call, arguments, name, site, write)
        record.calls += 1
        if record.calls == 1:
            record.operation, record.path = name, paths.get(spec, record.path)
        try:
            result = await call(arguments)
        except BaseException as error:
            record.fail(error)
            raise
        if result.stream is not None:
            result.on_end(partial(_end_stream, record))
        return result

    return recorded


def _end_stream(record: CallRecord, error: BaseException | None) -> None:
    if error is not None:
        record.fail(error)


async def _call_alone(call: Call, arguments: Arguments, name: str, site: CallSite, write: AccessLog) -> Result:
    record = CallRecord.of(site, current_call())
    record.operation, record.calls = name, 1
    token = CURRENT_RECORD.set(record)

    def end(error: BaseException | None) -> None:
        _end_stream(record, error)
        record.duration = perf_counter() - record.started
        write(record)

    try:
        result = await call(arguments)
    except BaseException as error:
        end(error)
        raise
    finally:
        CURRENT_RECORD.reset(token)
    if result.stream is None:
        end(None)
    else:
        result.on_end(end)
    return result


def record_consumed(call: ConsumedCall) -> ConsumedCall:
    """Return the call of a consumed operation, which adds its status and duration to the record of the request."""

    async def recorded(arguments: Arguments, *, stream: bool = False) -> Result:
        record = CURRENT_RECORD.get()
        if record is None:
            return await call(arguments, stream=stream)
        started, status = perf_counter(), None
        try:
            result = await call(arguments, stream=stream)
            status, record.cached = result.status, result.cached
            return result
        except BaseException as error:
            status = _status_of(error)
            record.cached = error.cached if isinstance(error, UpstreamStatusError) else None
            raise
        finally:
            record.upstream_calls += 1
            record.upstream_status = status
            record.upstream_duration += perf_counter() - started

    return recorded


def _status_of(error: BaseException) -> Any:
    return error.upstream_status if isinstance(error, UpstreamStatusError) else error_name(error)
