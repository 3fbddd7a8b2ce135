"""Steps, measured and traced."""

from __future__ import annotations

from time import perf_counter

from adapter_host import Arguments, Call, Result

from .provider import Telemetry
from .spans import spanned


def wrap_step(telemetry: Telemetry, type: str, name: str, call: Call) -> Call:
    """What a step does, inside a span and timed."""
    if telemetry.config.traces_calls:
        call = spanned(telemetry.tracer, f"step.{type}", {"step.type": type, "step.name": name}, call)
    return _timed(telemetry, type, call) if telemetry.config.measures else call


def _timed(telemetry: Telemetry, type: str, call: Call) -> Call:
    record = telemetry.measures.step_seconds.record
    ok, failed = ({"step.type": type, "status": status} for status in ("ok", "error"))

    async def timed(arguments: Arguments) -> Result:
        began = perf_counter()
        labels = failed
        try:
            result = await call(arguments)
            labels = ok
            return result
        finally:
            record(perf_counter() - began, labels)

    return timed
