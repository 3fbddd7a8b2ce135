"""Skills of the document, served by the Skills extension of MCP (SEP-2640)."""
