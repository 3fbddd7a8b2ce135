"""A host with one operation that needs a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from adapter_host import Host, Settings
from adapter_host.auth.oauth2.metadata import WELL_KNOWN

from .adapters import document, plain, plain_plugins
from .authorization_server import AUDIENCE, CLIENT, Issuer

WHERE = f'resource_metadata="https://api.example{WELL_KNOWN}/orders"'
BINDS = [{"namespace": "env", "keys": {"ID": "ID", "SECRET": "SECRET", "ISSUER": "ISSUER"}}]
ENVIRONMENT = {"ID": CLIENT[0], "SECRET": CLIENT[1]}
INTROSPECTION = {
    "tokenValidation": "introspection",
    "x-client-id": "{{env.ID}}",
    "x-client-secret": "{{env.SECRET}}",
}


def oauth2(issuer: str, **more: Any) -> dict[str, Any]:
    return {"type": "oauth2", "authorizationServerUri": issuer, "resource": AUDIENCE, "scopes": ["read"], **more}


def host(*exposed: dict[str, Any], **settings: Any) -> Host:
    return Host(
        document(*exposed, binds=BINDS),
        plugins=plain_plugins(),
        settings=Settings(**{"environment": ENVIRONMENT, **settings}),
    )


@asynccontextmanager
async def serving(issuer: Issuer, **more: Any) -> AsyncIterator[str]:
    """Serve a host of one plain operation; yield its URL."""
    async with host(plain(authentication=oauth2(issuer.url, **more))) as served:
        yield f"{served.status()[0].url}/get"


async def post(url: str, token: str | None = None) -> tuple[int, str, Mapping[str, str]]:
    """Return the status, WWW-Authenticate and all headers; check that no error contains the token."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        text = await response.text()
        if token:
            assert token not in f"{text}{response.headers}"
        return response.status, response.headers.get("WWW-Authenticate", ""), response.headers


def invalid(description: str) -> str:
    return f'Bearer error="invalid_token", error_description="{description}", scope="read", {WHERE}'


class Clock:
    """A clock that stops until `now` is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
