"""An MCP client discovers the authorization server from the URL of an exposer, and authenticates."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx2
import pytest
from aiohttp import web
from mcp.client import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from adapter_host import Host, Plugins, Settings, attach
from tests.support.authorization_server import Issuer, issuing

REDIRECT = "http://127.0.0.1:1/callback"


class Memory:
    """The token storage of the client."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Browser:
    """A user who approves every authorization request."""

    def __init__(self) -> None:
        self.result = AuthorizationCodeResult(code="", state=None)

    async def open(self, url: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as page:
            query = parse_qs(urlsplit(page.headers["Location"]).query)
        self.result = AuthorizationCodeResult(code=query["code"][0], state=query["state"][0])

    async def called_back(self) -> AuthorizationCodeResult:
        return self.result


def document(issuer: Issuer, resource: str) -> dict[str, Any]:
    tool = {
        "name": "ping",
        "description": "Says that it is there",
        "outputParameters": [{"name": "reply", "type": "string", "value": "pong"}],
    }
    authentication = {
        "type": "oauth2",
        "authorizationServerUri": issuer.url,
        "resource": resource,
        "scopes": ["notes.read"],
    }
    exposed = {"type": "mcp", "namespace": "notes", "port": 0, "authentication": authentication, "tools": [tool]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [exposed]}}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_official_mcp_client(mode: Any) -> None:
    with socket.socket() as listening:
        # Open the port first: the document must declare its URL.
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api/notes/mcp"
        async with issuing() as issuer:
            app = web.Application()
            attach(app, Host(document(issuer, url), plugins=Plugins.installed(), settings=Settings()), prefix="/api")
            runner = web.AppRunner(app)
            await runner.setup()
            try:
                await web.SockSite(runner, listening).start()
                await call(url, mode, issuer)
            finally:
                await runner.cleanup()


async def call(url: str, mode: Any, issuer: Issuer) -> None:
    memory, browser = Memory(), Browser()
    metadata = OAuthClientMetadata(client_name="tests", redirect_uris=[AnyUrl(REDIRECT)])
    provider = OAuthClientProvider(url, metadata, memory, browser.open, browser.called_back)
    async with (
        httpx2.AsyncClient(auth=provider) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        result = await client.call_tool("ping", {})
    assert "pong" in str(result.content)
    assert memory.tokens is not None
    (agreed,) = [form for form in issuer.forms if "code_challenge" in form]
    assert (agreed["resource"], agreed["scope"]) == (url, "notes.read")


def test_usage_shows_the_client_configuration() -> None:
    issuer = Issuer()
    issuer.url = "https://a.example"
    (status,) = Host(document(issuer, "https://api.example/mcp"), settings=Settings(environment={})).status()
    configuration = json.loads(status.exposer.usage("https://api.example/mcp") or "")
    assert configuration == {"mcpServers": {"notes": {"type": "http", "url": "https://api.example/mcp"}}}
