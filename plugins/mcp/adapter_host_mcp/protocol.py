"""Constants of the MCP specification."""

from __future__ import annotations

from typing import Final

HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions that begin with a handshake, the oldest first."""


STATELESS: Final = "2026-07-28"
"""The revision without one."""


JSON: Final = "application/json"


VERSION: Final = "MCP-Protocol-Version"


METHOD: Final = "Mcp-Method"


NAME: Final = "Mcp-Name"


INVALID_REQUEST: Final = -32600


INTERNAL_ERROR: Final = -32603


DEPTH: Final = 100
"""How deep objects and arrays of a message may be nested; what comes after us may be less patient."""


TRACE: Final = ("traceparent", "tracestate", "baggage")
"""The trace context that a request may bring (SEP-414)."""


META: Final = "io.modelcontextprotocol/"


SERVER_INFO: Final = f"{META}serverInfo"
"""Where the stateless revision tells who answers."""
