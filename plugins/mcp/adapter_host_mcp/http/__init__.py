"""MCP's Streamable HTTP transport, with a fast path that bypasses the SDK. Imports `features` and below."""
