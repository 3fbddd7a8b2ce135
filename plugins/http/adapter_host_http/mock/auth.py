"""How the stand-in checks who is calling, as the API and its authorization server would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from secrets import token_hex, token_urlsafe
from typing import Final
from urllib.parse import unquote_plus

from aiohttp import web

from adapter_host_http.auth.digest import Challenge, Digest, parse
from adapter_host_http.auth.oauth2 import Tokens
from adapter_host_http.auth.token_endpoint import TOKEN_PATH
from adapter_host_http.credential import AUTHORIZATION, Credential
from adapter_host_http.encoding import form as encoded

_REALM: Final = "stand-in"
_LIFE: Final = 3600


class MockAuthenticator(ABC):
    """Checks one credential."""

    def __init__(self, credential: Credential) -> None:
        self.credential = credential

    @abstractmethod
    def holds(self, request: web.Request) -> bool:
        """Whether a request proves who is calling."""

    def challenge(self) -> Mapping[str, str]:
        """Return the headers of a refusal."""
        return {}

    async def answer(self, request: web.Request) -> web.Response | None:
        """Return the answer to a request that asks for proof and not for the API, or None for any other."""
        return None


def mock_authenticator(credential: Credential) -> MockAuthenticator:
    """Return the authenticator for a credential."""
    auth_flow = credential.auth_flow
    if isinstance(auth_flow, Digest):
        return _DigestAuthenticator(credential, auth_flow)
    return (
        _TokenAuthenticator(credential, auth_flow) if isinstance(auth_flow, Tokens) else _FixedAuthenticator(credential)
    )


class _FixedAuthenticator(MockAuthenticator):
    def holds(self, request: web.Request) -> bool:
        """Whether it has the very text."""
        given: Mapping[str, str] = request.headers if self.credential.in_ == "header" else request.query
        return given.get(self.credential.name) == self.credential.value


class _DigestAuthenticator(MockAuthenticator):
    def __init__(self, credential: Credential, digest: Digest) -> None:
        super().__init__(credential)
        self._account = digest.account
        self._asked = Challenge(_REALM, token_hex(16), "SHA-256", "auth")

    def holds(self, request: web.Request) -> bool:
        """Whether it answers the challenge."""
        for scheme, given in parse(request.headers.get(AUTHORIZATION, "")):
            count, cnonce, target = given.get("nc", ""), given.get("cnonce", ""), request.rel_url.raw_path_qs
            wanted = self._asked.response(self._account, request.method, target, count, cnonce)
            if scheme == "digest" and (given.get("nonce"), given.get("response")) == (self._asked.nonce, wanted):
                return True
        return False

    def challenge(self) -> Mapping[str, str]:
        """Return the challenge."""
        asked = self._asked
        text = f'Digest realm="{asked.realm}", nonce="{asked.nonce}", algorithm={asked.algorithm}, qop="{asked.qop}"'
        return {"WWW-Authenticate": text}


class _TokenAuthenticator(MockAuthenticator):
    def __init__(self, credential: Credential, tokens: Tokens) -> None:
        super().__init__(credential)
        self._grant = tokens.grant
        self._token = token_urlsafe(16)

    def holds(self, request: web.Request) -> bool:
        """Whether it has the token that was given."""
        return request.headers.get(AUTHORIZATION) == f"Bearer {self._token}"

    def challenge(self) -> Mapping[str, str]:
        """Return the scheme."""
        return {"WWW-Authenticate": "Bearer"}

    async def answer(self, request: web.Request) -> web.Response | None:
        """Return a token for the client."""
        if request.path != TOKEN_PATH:
            return None
        form = dict(pair.partition("=")[::2] for pair in (await request.text()).split("&"))
        posted = tuple(unquote_plus(form.get(name, "")) for name in ("client_id", "client_secret"))
        if posted != (self._grant.client, self._grant.secret) and not self._knows(request):
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": self._token, "token_type": "Bearer", "expires_in": _LIFE})

    def _knows(self, request: web.Request) -> bool:
        pair = ":".join(encoded(text) for text in (self._grant.client, self._grant.secret))
        return request.headers.get(AUTHORIZATION) == f"Basic {b64encode(pair.encode()).decode()}"
