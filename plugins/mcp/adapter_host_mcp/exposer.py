"""Exposes a capability over MCP: what is known without the SDK; the rest is made when it is served."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import orjson

from adapter_host import Authentication, BuildContext, CatalogEntry, HttpExposer, Operations

from .config import McpConfig
from .discovery import ServerIdentity, ServerInfo, features, is_plain
from .features.completion import completes
from .features.prompts import prepare_prompts
from .features.resources import FileResource, prepare_resources, warn_missing
from .features.tools import Tool, prepare_tools

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler
    from mcp.server.lowlevel import Server

    from .http.state import ServerState
    from .http.transport import HttpTransport
    from .sdk.http import SdkEndpoint

KEY: Final = "ADAPTER_HOST_MCP_KEY"
"""The environment's name of the secret that seals sessions: processes with the same one open each other's."""

_KEY_LENGTH: Final = 32

_HEADERS: Final = {
    "bearer": {"Authorization": "Bearer <token>"},
    "basic": {"Authorization": "Basic <base64 of user:password>"},
}


class McpExposer(HttpExposer[McpConfig]):
    """Serves `type: mcp`: tools, resources and prompts, to clients of every revision, over HTTP or stdio."""

    config_class = McpConfig
    endpoint = "/mcp"

    def __init__(self, config: McpConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.tools = prepare_tools(config.tools, operations, context)
        self.resources = prepare_resources(config.resources, operations, context)
        self.prompts = prepare_prompts(config.prompts, context)
        self._check_port()
        self._check_caching()
        self._key = self._find_key()
        self._http_transport: HttpTransport | None = None

    def _find_key(self) -> bytes:
        given = self.context.settings.environment.get(KEY, "").encode()
        if given and len(given) < _KEY_LENGTH:
            message = f"the secret {KEY} is too short (it needs {_KEY_LENGTH} characters or more)"
            self.context.problem(message, self.config, code="weak-secret")
        return given or _random_key()

    def _check_caching(self) -> None:
        if self.config.cache_scope == "public" and self.config.authentication is not None:
            message = "'cacheScope: public' lets others have what a caller with credentials was told"
            self.context.warn(message, self.config, "cacheScope", code="public-cache")

    def _check_port(self) -> None:
        given = "port" in self.config.model_fields_set
        if self.stdio and given:
            self.context.warn("'port' is not allowed with 'transport: stdio'", self.config, "port", code="ignored")
        elif not self.stdio and not given:
            message = "'port' is missing (0 takes any free one; 'transport: stdio' needs none)"
            self.context.problem(message, self.config, code="missing-key")

    @property
    def stdio(self) -> bool:
        """Whether the document has it served over standard input and output."""
        return self.config.transport == "stdio"

    def catalog(self) -> Iterable[CatalogEntry]:
        """Yield the tools, resources and prompts."""
        for tool in self.tools.values():
            yield CatalogEntry(tool.name, tool.operation, _tool_details(tool))
        for resource in self.resources:
            kind = {"mimeType": resource.mime_type} if resource.mime_type else {}
            yield CatalogEntry(f"resource {resource.uri.text}", resource.operation, kind)
        for prompt in self.prompts.values():
            yield CatalogEntry(f"prompt {prompt.name}", prompt.operation)

    def usage(self, url: str) -> str:
        """Return a client's configuration."""
        server = _client_server(url, self.config.authentication)
        document = {"mcpServers": {self.config.namespace: server}}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()

    async def start(self) -> None:
        """Look whether the files to serve are there."""
        locations = [
            (resource.uri.text, resource.location) for resource in self.resources if isinstance(resource, FileResource)
        ]
        prompts = [prompt for prompt in self.prompts.values() if prompt.location]
        locations += [(f"prompt '{each.name}'", each.location) for each in prompts if each.location]
        await warn_missing(locations)

    def build_app(self) -> web.Application:
        """Its endpoint; the SDK is imported now if it is certain to be needed, else with the first need of it."""
        # Imported here, with aiohttp: `validate` and `inspect` do without.
        from .http.state import ServerState
        from .http.transport import HttpTransport

        plain = type(self).build_server is McpExposer.build_server and is_plain(list(self.tools.values()))
        state = ServerState(self.context.settings.body_limit, self._key)
        server_info = ServerInfo(self._identity(), list(self.tools.values())) if plain else None
        self._http_transport = HttpTransport(state, self.tools, server_info, self._build_endpoint, _import_sdk)
        if not plain or self.resources or self.prompts:
            self._http_transport.load()
        return self._http_transport.app(self.endpoint)

    def direct_handler(self, request: web.Request) -> Handler | None:
        """Messages to the endpoint are taken at once."""
        return self._http_transport.direct_handler(request) if self._http_transport is not None else None

    def _build_endpoint(self, state: ServerState) -> SdkEndpoint:
        from .sdk.http import SdkEndpoint

        return SdkEndpoint(self.build_server(), self.tools, state)

    def _identity(self) -> ServerIdentity:
        capability = self.context.loaded.capability
        return ServerIdentity(
            name=self.config.namespace,
            title=capability.label,
            version=capability.info.version or version("adapter-host-mcp"),
            instructions=self.config.description,
            ttl_ms=self.config.ttl_ms,
            cache_scope=self.config.cache_scope,
            features=features(
                resources=bool(self.resources),
                prompts=bool(self.prompts),
                completion=completes(self.resources, self.prompts.values()),
            ),
        )

    async def drain(self) -> None:
        """End the streams on which clients wait for news; calls in progress go on."""
        if self._http_transport is not None:
            self._http_transport.close()

    async def stop(self) -> None:
        """Cut off what goes on without a connection."""
        if self._http_transport is not None:
            self._http_transport.stop()

    def notify_reload(self) -> None:
        """Tell the clients that listen to read the lists again, as they do after a reload."""
        if self._http_transport is not None:
            self._http_transport.changed()

    @property
    def held(self) -> int:
        """What is held for clients at this moment: replies in progress, open streams, questions to them."""
        return self._http_transport.held if self._http_transport is not None else 0

    async def serve_stdio(self) -> None:
        """Serve one client over standard input and output until it ends its input."""
        from .sdk import stdio
        from .sdk.handlers import add_calls

        server = self.build_server()
        add_calls(server, self.tools)
        with stdio.claimed() as (source, sink):
            await stdio.serve(server, source, sink, self.context.settings.body_limit)

    def build_server(self) -> Server[None]:
        """Return the SDK's server with all that is declared; a subclass may add handlers of its own."""
        from .sdk import handlers
        from .sdk.server import build_server

        server = build_server(self._identity(), self.tools)
        if self.resources:
            handlers.add_resources(server, self.resources)
        if self.prompts:
            handlers.add_prompts(server, self.prompts)
        handlers.add_completion(server, self.resources, self.prompts)
        return server


def _import_sdk() -> None:
    from .sdk import http  # noqa: F401


@cache
def _random_key() -> bytes:
    # One for the process, made when the first document is built: it outlives reloads, and processes forked share it.
    return secrets.token_bytes(_KEY_LENGTH)


def _tool_details(tool: Tool) -> dict[str, Any]:
    definition = tool.definition(any_output=True)
    shown = ("description", "inputSchema", "annotations")
    return {key: definition[key] for key in shown if key in definition}


def _client_server(url: str, authentication: Authentication | None) -> dict[str, Any]:
    server: dict[str, Any] = {"type": "http", "url": url}
    if authentication is None:
        return server
    if authentication.type == "apikey" and authentication.placement == "query":
        return {**server, "url": f"{url}?{authentication.key}=<key>"}
    # With OAuth 2.0, clients find out by themselves what to do.
    headers = {authentication.key: "<key>"} if authentication.type == "apikey" else _HEADERS.get(authentication.type)
    return {**server, "headers": headers} if headers else server
