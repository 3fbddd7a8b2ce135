"""An exposer as a protected resource: bearer tokens (RFC 6750) and resource metadata (RFC 9728)."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from adapter_host.auth.credentials import CheckedRequest, IssuedCredentials, authorization_value
from adapter_host.errors import UnavailableError
from adapter_host.operation.callers import Principal
from adapter_host.plugin.access import Refusal, Verdict

from .authorization_server import AuthorizationServer
from .claims import InvalidTokenError
from .metadata import WELL_KNOWN

RETRY_AFTER: Final = 5.0


class TokenVerifier(Protocol):
    """Verifies tokens."""

    def verify_cached(self, token: str) -> Principal | None:
        """Return the client of a token without a request; None when unknown. Raise `InvalidTokenError`."""

    async def verify(self, token: str) -> Principal:
        """Return the client of a token; raise `InvalidTokenError` or `UnavailableError`."""

    async def stop(self) -> None:
        """Cancel pending requests."""


class OAuth2Credentials(IssuedCredentials):
    """Accepts tokens of an authorization server for `resource` with all of `scopes`."""

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
        self._missing_token = Refusal(
            401, "an access token is required", (f"Bearer {self._challenge_parameters}",), code="missing-credentials"
        )

    def check(self, request: CheckedRequest) -> Verdict | Awaitable[Verdict]:
        """Return the client of the request's token; ask the authorization server only if necessary."""
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
            retry_after = error.retry_after or RETRY_AFTER
            return Refusal(503, error.message, retry_after=retry_after, code="authorization-server-unavailable")

    def _authorize(self, principal: Principal) -> Verdict:
        if self._scopes <= principal.scopes:
            return principal
        detail = "the token lacks a required scope"
        challenges = (self._challenge("insufficient_scope", detail),)
        return Refusal(403, detail, challenges, code="insufficient-scope", principal=principal)

    def _invalid_token(self, error: InvalidTokenError) -> Refusal:
        return Refusal(401, str(error), (self._challenge("invalid_token", str(error)),), code="invalid-token")

    def _challenge(self, error: str, description: str) -> str:
        return f'Bearer error="{error}", error_description="{description}", {self._challenge_parameters}'

    def documents(self, path: str) -> Mapping[str, bytes]:
        """Return the metadata at the path of the resource and at the path of the exposer."""
        return {f"{WELL_KNOWN}{resource_path}": self._metadata for resource_path in (self._path, path)}

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
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
