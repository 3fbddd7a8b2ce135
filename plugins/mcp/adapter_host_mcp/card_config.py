"""Configuration of `x-server-card`."""

from __future__ import annotations

from pydantic import Field

from adapter_host import Model


class McpRepositorySpec(Model):
    """The source code of a server; `source` is the service that hosts it, such as `github`."""

    url: str = Field(pattern=r"^https?://\S+$")
    source: str = Field(min_length=1)


class McpServerCardSpec(Model):
    """The public description of a server, for clients before they connect, and for registries.

    `name` is unique, in reverse DNS form. `url` is that of the endpoint for clients, by default that of `--public-url`
    or the listener.
    """

    name: str = Field(min_length=3, max_length=200, pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$")
    description: str = Field(min_length=1, max_length=100)
    url: str | None = Field(None, pattern=r"^https?://\S+$")
    website_url: str | None = Field(None, pattern=r"^https?://\S+$")
    repository: McpRepositorySpec | None = None
    catalog: bool = False
