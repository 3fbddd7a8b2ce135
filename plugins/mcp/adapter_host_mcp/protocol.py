"""Constants of the MCP specification."""

from __future__ import annotations

from typing import Final

from adapter_host import MAX_JSON_DEPTH

HANDSHAKE_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Revisions with an `initialize` handshake, oldest first."""


STATELESS_VERSION: Final = "2026-07-28"
"""The revision without a handshake."""


LINK_VERSIONS: Final = frozenset({"2025-06-18", "2025-11-25", STATELESS_VERSION})
"""Revisions in which results may have links to resources."""


JSON_MEDIA_TYPE: Final = "application/json"


SSE_MEDIA_TYPE: Final = "text/event-stream"


VERSION_HEADER: Final = "MCP-Protocol-Version"


METHOD_HEADER: Final = "Mcp-Method"


NAME_HEADER: Final = "Mcp-Name"


INVALID_REQUEST: Final = -32600


INVALID_PARAMS: Final = -32602


INTERNAL_ERROR: Final = -32603


MAX_DEPTH: Final = MAX_JSON_DEPTH
"""Maximum nesting of a message."""


TRACE_KEYS: Final = ("traceparent", "tracestate", "baggage")
"""Keys of the trace context in `_meta` (SEP-414)."""


# The specification has no name for it: SEP-3182 proposed a parameter of `tools/call` and was closed, and the prefix
# `io.modelcontextprotocol/` is reserved for names of the specification.
IDEMPOTENCY_META: Final = "adapter-host/idempotencyKey"
"""The key of a caller's idempotency key in `_meta`."""


META_PREFIX: Final = "io.modelcontextprotocol/"


SERVER_INFO_KEY: Final = f"{META_PREFIX}serverInfo"
"""Key of the server's name and version in `_meta` of stateless results."""

ERROR_KEY: Final = "adapter-host/error"
"""Key of the details of an error in `_meta` of a tool's result."""
