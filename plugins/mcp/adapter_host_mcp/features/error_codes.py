"""The errors of JSON-RPC: the codes of those of resources, and unexpected ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from adapter_host import ArgumentError, NotFoundError, OperationError, UpstreamStatusError, current_call, note_call
from adapter_host_mcp.protocol import INTERNAL_ERROR, INVALID_PARAMS, STATELESS_VERSION

log = logging.getLogger("adapter_host.mcp")

_RESOURCE_NOT_FOUND: Final = -32002
"""The code in the handshake revisions; 2026-07-28 uses that of invalid params."""

_NOT_FOUND_STATUSES: Final = frozenset({404, 410})


def resource_error_code(error: OperationError, version: str | None) -> int:
    """Return the code for an error of `resources/read` in a revision."""
    if isinstance(error, NotFoundError) or (
        isinstance(error, UpstreamStatusError) and error.upstream_status in _NOT_FOUND_STATUSES
    ):
        return INVALID_PARAMS if version == STATELESS_VERSION else _RESOURCE_NOT_FOUND
    return INVALID_PARAMS if isinstance(error, ArgumentError) else INTERNAL_ERROR


def report_internal_error(method: str, params: Mapping[str, Any] | None, error: Exception) -> dict[str, Any]:
    """Log an unexpected error; return the JSON-RPC error, which has only the request id of the log entry."""
    request_id = current_call().request_id
    subject = (params or {}).get("name") or (params or {}).get("uri") or ""
    log.error("%s %r failed (request %s)", method, subject, request_id, exc_info=error)
    note_call(error=INTERNAL_ERROR)
    return {"code": INTERNAL_ERROR, "message": "Internal error", "data": {"request_id": request_id}}
