"""The server card (SEP-2127), the catalog that refers to it, and the `server.json` of registries."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from adapter_host import Authentication, BuildContext, HttpExposer, Operations, StartError

from .card_config import McpServerCardSpec
from .config import McpConfig
from .discovery import ServerIdentity
from .protocol import HANDSHAKE_VERSIONS, STATELESS_VERSION

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

CATALOG_PATH: Final = "/.well-known/ai-catalog.json"

_CARD_PATH: Final = "/server-card"
"""The path of the card below the endpoint."""

_CARD_TYPE: Final = "application/mcp-server-card+json"
_CATALOG_TYPE: Final = "application/ai-catalog+json"
_CATALOG_VERSION: Final = "0.9"
# v1: the extension's texts of July 2026 require it, and published cards have it. A draft requires v2, for the same
# members.
_CARD_SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
# The newest version that the registry (1.8.9) accepts as current; its draft differs in URLs with variables only.
_REGISTRY_SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
_MAX_TITLE: Final = 100
_MAX_VERSION: Final = 255
_RANGE: Final = re.compile(r"[\^~<>=*|]|(^|\.)[xX](\.|$)|\s-\s")
"""A range of versions, which cards and registries reject."""


_HEADERS: Final = {
    "Server": "adapter-host",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "Content-Type",
    "Cache-Control": "public, max-age=3600",
}


class CardExposer(HttpExposer[McpConfig]):
    """An exposer with `x-server-card`: it serves the card, and exports the `server.json`."""

    def __init__(self, config: McpConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        card = config.x_server_card
        if card is not None and config.transport == "stdio":
            message = "'x-server-card' describes an endpoint, and there is none with 'transport: stdio'; remove it"
            context.problem(message, config, "x-server-card", code="modes")
        if card is not None:
            self._check_version()
            catalog = {CATALOG_PATH} if card.catalog else set()
            self.public_paths = frozenset({f"{self.endpoint}{_CARD_PATH}", *catalog})

    def _check_version(self) -> None:
        info = self.context.loaded.capability.info
        if info.version and (len(info.version) > _MAX_VERSION or _RANGE.search(info.version)):
            message = f"'x-server-card' needs one version of at most {_MAX_VERSION} characters, such as 1.2.0"
            self.context.problem(message, info, "version")

    @abstractmethod
    def _identity(self) -> ServerIdentity:
        """Return the name, title and version of the server."""

    def exports(self) -> Mapping[str, Callable[[], str]]:
        """Return the `server.json` for the MCP registry, if there is a card."""
        card = self.config.x_server_card
        return {} if card is None else {"server-json": lambda: self._server_json(card)}

    def _server_json(self, card: McpServerCardSpec) -> str:
        if card.url is None:
            message = "'x-server-card' has no 'url'; set the URL by which clients reach the endpoint"
            raise StartError(f"{self.config.namespace}: {message}")
        document = describe_server(card, self._identity(), card.url, self.config.authentication)
        return orjson.dumps({"$schema": _REGISTRY_SCHEMA, **document}, option=orjson.OPT_INDENT_2).decode() + "\n"

    def origin_routes(self) -> Mapping[str, Handler]:
        """Return the route of the catalog, if the card is listed there."""
        card = self.config.x_server_card
        return {CATALOG_PATH: self._serve_catalog} if card is not None and card.catalog else {}

    def add_card(self, app: web.Application) -> web.Application:
        """Add the route of the card to an application, if there is one; return the application."""
        if self.config.x_server_card is not None:
            app.router.add_get(f"{self.endpoint}{_CARD_PATH}", self._serve_card)
        return app

    async def _serve_card(self, _: web.Request) -> web.Response:
        card, url = self._card_and_url()
        document = describe_server(card, self._identity(), url, self.config.authentication)
        for remote in document["remotes"]:
            remote["supportedProtocolVersions"] = [*HANDSHAKE_VERSIONS, STATELESS_VERSION]
        return _json_response({"$schema": _CARD_SCHEMA, **document}, _CARD_TYPE)

    async def _serve_catalog(self, _: web.Request) -> web.Response:
        card, url = self._card_and_url()
        entry = {
            "identifier": catalog_identifier(card.name),
            "displayName": self._identity().title,
            "type": _CARD_TYPE,
            "url": f"{url}{_CARD_PATH}",
        }
        return _json_response({"specVersion": _CATALOG_VERSION, "entries": [entry]}, _CATALOG_TYPE)

    def _card_and_url(self) -> tuple[McpServerCardSpec, str]:
        from aiohttp import web

        card = self.config.x_server_card
        url = None if card is None else card.url or self.public_url
        if card is None or url is None:
            # The host is part of another application, and does not know its URL.
            raise web.HTTPNotFound
        return card, url.rstrip("/")


def describe_server(
    card: McpServerCardSpec, identity: ServerIdentity, url: str, authentication: Authentication | None
) -> dict[str, Any]:
    """Return the members that a server card and a `server.json` share."""
    headers = _headers(authentication)
    repository = None if card.repository is None else card.repository.model_dump()
    remote: dict[str, Any] = {"type": "streamable-http", "url": url, **({"headers": headers} if headers else {})}
    members: dict[str, Any] = {
        "name": card.name,
        "title": identity.title[:_MAX_TITLE] or None,
        "description": card.description,
        "version": identity.version,
        "websiteUrl": card.website_url,
        "repository": repository,
        "remotes": [remote],
    }
    return {key: value for key, value in members.items() if value is not None}


def catalog_identifier(name: str) -> str:
    """Return the identifier of a server in a catalog: `urn:air:example.org:weather` of `org.example/weather`."""
    publisher, _, server = name.partition("/")
    return f"urn:air:{'.'.join(reversed(publisher.split('.')))}:{server}"


def _headers(authentication: Authentication | None) -> list[dict[str, Any]]:
    """Return the headers that clients must send, without any value of the document."""
    if authentication is None:
        return []
    secret = {"isRequired": True, "isSecret": True}
    if authentication.type == "bearer":
        return [{"name": "Authorization", "description": "Bearer, and the token", **secret}]
    if authentication.type == "basic":
        return [{"name": "Authorization", "description": "Basic, and user:password as base64", **secret}]
    if authentication.type == "apikey" and authentication.placement == "header" and authentication.key:
        return [{"name": authentication.key, "description": "The API key", **secret}]
    # With OAuth 2.0, clients discover the authorization server; others need no header, or one for each request.
    return []


def _json_response(document: Mapping[str, Any], media_type: str) -> web.Response:
    from aiohttp import web

    return web.Response(body=orjson.dumps(document), headers={**_HEADERS, "Content-Type": media_type})
