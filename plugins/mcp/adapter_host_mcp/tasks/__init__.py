"""Tasks: calls whose API responds 202 and reports the result later, by the Tasks extension of MCP (SEP-2663)."""
