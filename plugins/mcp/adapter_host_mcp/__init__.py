"""Exposer for the Model Context Protocol (`type: mcp`)."""

from adapter_host import RegisterExposer, hookimpl

from .exposer import McpExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    register("mcp", McpExposer)
