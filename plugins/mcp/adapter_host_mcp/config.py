"""What a document says of an MCP exposer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from adapter_host import HttpExposerConfig, Model, OperationSpec


class McpHints(Model):
    """What a client may be told of a tool's nature; it grants nothing."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


class McpToolSpec(OperationSpec):
    """An operation that is offered as a tool."""

    hints: McpHints | None = None


class McpConfig(HttpExposerConfig):
    """An entry of `exposes` of the type `mcp`; it has a `port` over http."""

    transport: Literal["http", "stdio"] = "http"
    port: int = Field(0, ge=0, le=65535)
    tools: tuple[McpToolSpec, ...] = ()
    resources: Any = None
    prompts: Any = None
