"""The JSON-RPC codes of errors of resources."""

from __future__ import annotations

from typing import Final

from adapter_host import ArgumentError, NotFoundError, OperationError, UpstreamStatusError
from adapter_host_mcp.protocol import INTERNAL_ERROR, INVALID_PARAMS, STATELESS_VERSION

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
