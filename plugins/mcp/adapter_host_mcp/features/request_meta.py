"""The `_meta` of requests: the trace context and the idempotency key of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from adapter_host import TRACE_CONTEXT, KeyedCalls
from adapter_host_mcp.protocol import IDEMPOTENCY_META, TRACE_KEYS

_KEYS: Final = frozenset({TRACE_KEYS[0], IDEMPOTENCY_META})


def enter_meta(params: Mapping[str, Any] | None) -> ExitStack | None:
    """Set `TRACE_CONTEXT` (SEP-414) and the idempotency key of a request; close the result to reset them.

    Return None if its `_meta` has neither.
    """
    meta = None if params is None else params.get("_meta")
    if not isinstance(meta, dict) or _KEYS.isdisjoint(meta):
        return None
    stack = ExitStack()
    if TRACE_KEYS[0] in meta:
        context = {key: value for key in TRACE_KEYS if isinstance(value := meta.get(key), str)}
        stack.callback(TRACE_CONTEXT.reset, TRACE_CONTEXT.set(context))
    if IDEMPOTENCY_META in meta:
        key = meta[IDEMPOTENCY_META]
        # The empty key is an error where keys are used: the caller must not believe that another value is one.
        stack.enter_context(KeyedCalls(key if isinstance(key, str) else ""))
    return stack
