"""Exposes capabilities over the Model Context Protocol."""

from adapter_host import RegisterExposer, hookimpl

from .exposer import McpExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    register("mcp", McpExposer)
