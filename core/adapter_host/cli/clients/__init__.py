"""MCP clients: the format of their configuration, and edits of it that keep everything else."""
