"""Measures and traces steps."""

from __future__ import annotations

from time import perf_counter

from adapter_host import Arguments, Call, Result

from .provider import Telemetry
from .spans import in_span


def wrap_step(telemetry: Telemetry, step_type: str, name: str, call: Call) -> Call:
    """Wrap the call of a step in metrics and a span."""
    if telemetry.config.collects_traces:
        call = in_span(telemetry.tracer, f"step.{step_type}", {"step.type": step_type, "step.name": name}, call)
    return _timed(telemetry, step_type, call) if telemetry.config.collects_metrics else call


def _timed(telemetry: Telemetry, step_type: str, call: Call) -> Call:
    record = telemetry.metrics.step_seconds.record
    ok, failed = ({"step.type": step_type, "status": status} for status in ("ok", "error"))

    async def timed(arguments: Arguments) -> Result:
        started = perf_counter()
        labels = failed
        try:
            result = await call(arguments)
            labels = ok
            return result
        finally:
            record(perf_counter() - started, labels)

    return timed
