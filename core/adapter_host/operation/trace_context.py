"""The trace context of the call in progress."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

TRACE_CONTEXT: Final[ContextVar[Mapping[str, str] | None]] = ContextVar("adapter_host_trace_context", default=None)
"""The W3C Trace Context that a client sent outside of HTTP headers, as MCP does in `_meta`.

`traceparent`, with `tracestate` and `baggage` if sent; None when the client sent none. An exposer of a protocol with
its own fields for them sets it around the call, only when a client sent them.
"""
