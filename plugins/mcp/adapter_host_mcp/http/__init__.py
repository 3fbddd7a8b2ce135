"""MCP's Streamable HTTP transport, with a fast path past the SDK. Imports `features` and below."""
