"""Plugin for `consumes: {type: mcp}`: the tools, resources and prompts of MCP servers become operations."""

from adapter_host import RegisterConsumer, hookimpl

from .consumer import McpConsumer

requires_api = "1.0"


@hookimpl
def register_consumers(register: RegisterConsumer) -> None:
    register("mcp", McpConsumer)
