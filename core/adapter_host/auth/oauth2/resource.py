"""An exposer as a protected resource: who may use it, and where anybody learns how to (RFC 6750, RFC 9728)."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from adapter_host.auth.credentials import IssuedCredentials, Principal, Refusal, Verdict, authorization_value
from adapter_host.errors import UnavailableError

from .authorization_server import AuthorizationServer
from .claims import InvalidTokenError
from .metadata import WELL_KNOWN

RETRY_AFTER: Final = 5.0


class TokenVerifier(Protocol):
    """A way to tell whose a token is; both raise `InvalidTokenError`, and `learned` `UnavailableError` too."""

    def verify_cached(self, token: str) -> Principal | None:
        """Whose it is, as far as that is known without asking; None when it is not."""

    async def verify(self, token: str) -> Principal:
        """Whose it is, by asking."""

    async def stop(self) -> None:
        """End what is on its way."""


class OAuth2Credentials(IssuedCredentials):
    """A token of an authorization server, meant for `resource` and granting all of `scopes`."""

    kind = "oauth2"

    def __init__(
        self, server: AuthorizationServer, verifier: TokenVerifier, resource: str, scopes: tuple[str, ...]
    ) -> None:
        self._server = server
        self._verifier = verifier
        self._scopes = frozenset(scopes)
        self._path = _path(resource)
        self._metadata = _metadata(server.issuer, resource, scopes)
        metadata_parameter = f'resource_metadata="{_origin(resource)}{WELL_KNOWN}{self._path}"'
        self._challenge_parameters = ", ".join(
            [*([f'scope="{" ".join(scopes)}"'] if scopes else []), metadata_parameter]
        )
        self._missing_token = Refusal(401, "a token is needed", (f"Bearer {self._challenge_parameters}",))

    def check(self, request: web.Request) -> Verdict | Awaitable[Verdict]:
        """Whose token it carries; the authorization server is asked only when that is not known."""
        token = authorization_value(request, "bearer")
        if not token:
            return self._missing_token
        try:
            principal = self._verifier.verify_cached(token)
        except InvalidTokenError as error:
            return self._invalid_token(error)
        return self._verify(token) if principal is None else self._authorize(principal)

    async def _verify(self, token: str) -> Verdict:
        try:
            return self._authorize(await self._verifier.verify(token))
        except InvalidTokenError as error:
            return self._invalid_token(error)
        except UnavailableError as error:
            return Refusal(503, error.message, retry_after=error.retry_after or RETRY_AFTER)

    def _authorize(self, principal: Principal) -> Verdict:
        if self._scopes <= principal.scopes:
            return principal
        detail = "the token does not grant what is needed here"
        return Refusal(403, detail, (self._challenge("insufficient_scope", detail),))

    def _invalid_token(self, error: InvalidTokenError) -> Refusal:
        return Refusal(401, str(error), (self._challenge("invalid_token", str(error)),))

    def _challenge(self, error: str, description: str) -> str:
        return f'Bearer error="{error}", error_description="{description}", {self._challenge_parameters}'

    def documents(self, path: str) -> Mapping[str, bytes]:
        """Its metadata, under the resource's own path and under the one it is served at."""
        return {f"{WELL_KNOWN}{resource_path}": self._metadata for resource_path in (self._path, path)}

    async def start(self) -> None:
        """Be ready to ask the authorization server, which need not be there yet."""
        await self._server.start()

    async def stop(self) -> None:
        """Ask nothing any more."""
        await self._verifier.stop()
        await self._server.stop()


def _metadata(issuer: str, resource: str, scopes: tuple[str, ...]) -> bytes:
    document: dict[str, Any] = {"resource": resource, "authorization_servers": [issuer]}
    if scopes:
        document["scopes_supported"] = list(scopes)
    return orjson.dumps({**document, "bearer_methods_supported": ["header"]})


def _origin(resource: str) -> str:
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}"


def _path(resource: str) -> str:
    path = urlsplit(resource).path
    return "" if path == "/" else path
