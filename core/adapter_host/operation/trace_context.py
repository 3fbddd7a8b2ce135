"""What joins a call with the trace of whoever makes it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

TRACE_CONTEXT: Final[ContextVar[Mapping[str, str] | None]] = ContextVar("adapter_host_trace_context", default=None)
"""What a call in progress brought of W3C Trace Context other than in HTTP headers, as MCP does in `_meta`.

`traceparent`, and `tracestate` and `baggage` where they came too; None when none did. An exposer of a protocol with a
place of its own for them sets it around the call, and only when something came.
"""
