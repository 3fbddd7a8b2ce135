"""Exposes a capability over MCP: what is known without the SDK; the rest is made when it is served."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final

import orjson
from aiohttp import web

from adapter_host import Authentication, HttpExposer, Offer, Operations, Provision

from .config import McpConfig
from .tools import prepare_tools

_HEADERS: Final = {
    "bearer": {"Authorization": "Bearer <token>"},
    "basic": {"Authorization": "Basic <base64 of user:password>"},
}


class McpExposer(HttpExposer[McpConfig]):
    """Serves `type: mcp`: every declared tool, over Streamable HTTP, to clients of every revision."""

    config_class = McpConfig
    endpoint = "/mcp"

    def __init__(self, config: McpConfig, operations: Operations, provision: Provision) -> None:
        super().__init__(config, operations, provision)
        self.tools = prepare_tools(config.tools, operations, provision)
        self._check()

    def _check(self) -> None:
        if self.config.transport != "http":
            self._unsupported(f"transport '{self.config.transport}'", "transport")
        elif "port" not in self.config.model_fields_set:
            self.provision.problem("'port' is missing (0 takes any free one)", self.config, code="missing-key")
        for key in ("resources", "prompts"):
            if getattr(self.config, key):
                self._unsupported(f"'{key}'", key)

    def _unsupported(self, what: str, key: str) -> None:
        message = f"{what} of an MCP exposer is not supported by this version (tools over http are)"
        self.provision.problem(message, self.config, key, code="unsupported")

    def offers(self) -> Iterable[Offer]:
        """The tools."""
        for tool in self.tools.values():
            definition = tool.definition(any_output=True)
            shown = ("description", "inputSchema", "annotations")
            details = {key: definition[key] for key in shown if key in definition}
            yield Offer(tool.name, tool.operation, details)

    def usage(self, url: str) -> str:
        """A client's configuration."""
        server = _client_server(url, self.config.authentication)
        document = {"mcpServers": {self.config.namespace: server}}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()

    def build_app(self) -> web.Application:
        """The endpoint, built on the SDK."""
        # Imported here, as the SDK takes a second: `validate` and `inspect` do without.
        from . import sdk
        from .endpoint import Endpoint

        capability = self.provision.declaration.capability
        server = sdk.build_server(
            self.config.namespace,
            title=capability.label,
            version=capability.info.version or version("adapter-host-mcp"),
            instructions=self.config.description,
            tools=self.tools,
            shared=self.config.authentication is None,
        )
        endpoint = Endpoint(server, self.tools, self.provision.settings.body_limit)
        app = web.Application()
        app.router.add_post(self.endpoint, endpoint.post)
        return app


def _client_server(url: str, authentication: Authentication | None) -> dict[str, Any]:
    server: dict[str, Any] = {"type": "http", "url": url}
    if authentication is None:
        return server
    if authentication.type == "apikey" and authentication.placement == "query":
        return {**server, "url": f"{url}?{authentication.key}=<key>"}
    headers = {authentication.key: "<key>"} if authentication.type == "apikey" else _HEADERS[authentication.type]
    return {**server, "headers": headers}
