"""Check credentials in a mock server, as the API and its authorization server would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from secrets import token_hex, token_urlsafe
from typing import Final
from urllib.parse import unquote_plus

from aiohttp import web

from .credential import AUTHORIZATION, UpstreamCredential
from .digest import Challenge, DigestFlow, parse_challenges
from .oauth2 import ClientCredentialsFlow
from .token_endpoint import TOKEN_PATH, form_encode

_REALM: Final = "mock"
_TOKEN_LIFETIME: Final = 3600


class MockAuthenticator(ABC):
    """Checks one credential in the requests to a mock server of aiohttp."""

    def __init__(self, credential: UpstreamCredential) -> None:
        self.credential = credential

    @abstractmethod
    def accepts(self, request: web.Request) -> bool:
        """Return whether a request carries the credential."""

    def challenge(self) -> Mapping[str, str]:
        """Return the headers of a 401 response."""
        return {}

    async def handle(self, request: web.Request, path: str) -> web.Response | None:
        """Return the response to a request for a token, or None for any other request; `path` is below the base URL."""
        return None


def mock_authenticator(credential: UpstreamCredential) -> MockAuthenticator:
    """Return the authenticator of a mock server for a credential."""
    auth_flow = credential.auth_flow
    if isinstance(auth_flow, DigestFlow):
        return _DigestAuthenticator(credential, auth_flow)
    return (
        _TokenAuthenticator(credential, auth_flow)
        if isinstance(auth_flow, ClientCredentialsFlow)
        else _FixedAuthenticator(credential)
    )


class _FixedAuthenticator(MockAuthenticator):
    def accepts(self, request: web.Request) -> bool:
        parameters: Mapping[str, str] = request.headers if self.credential.in_ == "header" else request.query
        return parameters.get(self.credential.name) == self.credential.value


class _DigestAuthenticator(MockAuthenticator):
    def __init__(self, credential: UpstreamCredential, flow: DigestFlow) -> None:
        super().__init__(credential)
        self._account = flow.account
        self._digest_challenge = Challenge(_REALM, token_hex(16), "SHA-256", "auth")

    def accepts(self, request: web.Request) -> bool:
        for scheme, parameters in parse_challenges(request.headers.get(AUTHORIZATION, "")):
            count, cnonce, target = parameters.get("nc", ""), parameters.get("cnonce", ""), request.rel_url.raw_path_qs
            expected = self._digest_challenge.response(self._account, request.method, target, count, cnonce)
            received = parameters.get("nonce"), parameters.get("response")
            if scheme == "digest" and received == (self._digest_challenge.nonce, expected):
                return True
        return False

    def challenge(self) -> Mapping[str, str]:
        challenge = self._digest_challenge
        names = f'realm="{challenge.realm}", nonce="{challenge.nonce}", qop="{challenge.qop}"'
        return {"WWW-Authenticate": f"Digest {names}, algorithm={challenge.algorithm}"}


class _TokenAuthenticator(MockAuthenticator):
    def __init__(self, credential: UpstreamCredential, flow: ClientCredentialsFlow) -> None:
        super().__init__(credential)
        self._grant = flow.grant
        self._token = token_urlsafe(16)

    def accepts(self, request: web.Request) -> bool:
        return request.headers.get(AUTHORIZATION) == f"Bearer {self._token}"

    def challenge(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": "Bearer"}

    async def handle(self, request: web.Request, path: str) -> web.Response | None:
        if path != TOKEN_PATH:
            return None
        form = dict(pair.partition("=")[::2] for pair in (await request.text()).split("&"))
        posted = tuple(unquote_plus(form.get(name, "")) for name in ("client_id", "client_secret"))
        if posted != (self._grant.client, self._grant.secret) and not self._has_client_credentials(request):
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": self._token, "token_type": "Bearer", "expires_in": _TOKEN_LIFETIME})

    def _has_client_credentials(self, request: web.Request) -> bool:
        pair = ":".join(form_encode(text) for text in (self._grant.client, self._grant.secret))
        return request.headers.get(AUTHORIZATION) == f"Basic {b64encode(pair.encode()).decode()}"
