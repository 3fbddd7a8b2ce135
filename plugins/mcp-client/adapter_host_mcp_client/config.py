"""Models of `type: mcp` under `consumes`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from adapter_host import Authentication, ClientTlsSpec, ConsumerConfig, ListField, Timeouts


class McpConfig(ConsumerConfig):
    """A consumed MCP server: a `url` for streamable HTTP, or a `command` whose process speaks over standard input."""

    url: str | None = None
    authentication: Authentication | None = None
    command: str | None = None
    arguments: ListField[str] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    protocol_version: Literal["auto", "handshake", "2026-07-28"] = "auto"
    timeout: Timeouts = Field(default_factory=Timeouts, alias="x-timeout")
    tls: ClientTlsSpec | None = Field(None, alias="x-tls")
    proxy: str | None = Field(None, alias="x-proxy", repr=False)

    @model_validator(mode="after")
    def _check_transport(self) -> Self:
        if (self.url is None) is (self.command is None):
            raise ValueError("an MCP server has either a 'url' or a 'command'; set one of them")
        if self.command is not None and self.authentication is not None:
            raise ValueError("'authentication' needs a 'url'; pass secrets to a command by its 'environment'")
        if self.command is not None and self.tls is not None:
            raise ValueError("'x-tls' needs a 'url'; a command has no TLS")
        if self.command is not None and self.proxy is not None:
            raise ValueError("'x-proxy' needs a 'url'; pass a proxy to a command by its 'environment'")
        if self.url is not None and (self.arguments or self.environment):
            raise ValueError("'arguments' and 'environment' need a 'command'")
        return self
