"""OAuth 2.0 client credentials: one token for a consumer, fetched once however many calls wait for it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Literal

from pydantic import Field

from adapter_host import Authentication, BuildContext, Model, Template, UpstreamError, is_secure
from adapter_host_http.credential import AUTHORIZATION, AuthFlow, AuthTransport, Credential, secret

from .token_endpoint import Grant, TokenEndpoint

_LOG: Final = logging.getLogger("adapter_host.http")

MARGIN: Final = 30.0
"""A token is fetched anew so many seconds before it expires, or at half of a shorter life."""

_AGAIN: Final = 5.0
_USER: Final = re.compile(r"//[^/]*@")
_CLIENT: Final = "x-client"


class Client(Model):
    """The `x-client` of an authentication: who asks for tokens, and how it proves that."""

    id: str = "{{CLIENT_ID}}"
    secret: str = Field("{{CLIENT_SECRET}}", repr=False)
    authentication: Literal["basic", "post"] | None = None


def compile_oauth2(declared: Authentication, context: BuildContext) -> Credential | None:
    """Return the credential of a client of an authorization server; None with a problem reported."""
    client = context.read_extension(_CLIENT, declared, Client)
    if client is None and _CLIENT in (declared.model_extra or {}):
        return None
    client = client or Client.model_validate({})
    identity = secret(client.id, declared, (_CLIENT, "id"), context, ascii_only=False)
    password = secret(client.secret, declared, (_CLIENT, "secret"), context, ascii_only=False)
    server = _server(declared, context)
    asked = [_optional(declared, key, context) for key in ("resource", "audience")]
    if identity is None or password is None or server is None:
        return None
    grant = Grant(
        client=identity.constant or "",
        secret=password.constant or "",
        method=client.authentication,
        scope=" ".join(declared.scopes),
        resource=asked[0],
        audience=asked[1],
    )
    source = Tokens(TokenEndpoint(context.namespace, server.url, discovered=server.discovered), grant)
    masked = f"Bearer (a token of {server.masked} for {identity.masked()})"
    return Credential("header", AUTHORIZATION, "", masked, auth_flow=source)


@dataclass(frozen=True, slots=True)
class _Declared:
    """Where tokens come from; with `discovered` that is looked up there first."""

    url: str
    masked: str
    discovered: bool


def _server(declared: Authentication, context: BuildContext) -> _Declared | None:
    key = "tokenEndpoint" if declared.token_endpoint else "authorizationServerUri"
    text = declared.token_endpoint or declared.authorization_server_uri
    if not text:
        message = "'authorizationServerUri' is missing (authentication 'oauth2' needs it, or 'tokenEndpoint')"
        context.problem(message, declared, key, code="missing-key")
        return None
    template = secret(text, declared, (key,), context)
    if template is None:
        return None
    url = template.constant or ""
    # A secret of the stand-in is no address, and none is asked for.
    if not is_secure(url) and not (context.settings.mock and template.secrets):
        given = _USER.sub("//...@", template.masked())
        message = f"'{key}' must be an https:// address, or one of the loopback (given '{given}')"
        context.problem(message, declared, key, code="insecure")
        return None
    return _Declared(url, template.masked(), discovered=not declared.token_endpoint)


def _optional(declared: Authentication, key: str, context: BuildContext) -> str:
    text: str | None = getattr(declared, key)
    template: Template | None = context.secret(text, declared, key) if text else None
    return template.constant or "" if template else ""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and when it is to be replaced and ends, by the monotonic clock."""

    value: str = field(repr=False)
    due: float
    end: float


class Tokens(AuthFlow):
    """Keeps the token of one client."""

    def __init__(self, server: TokenEndpoint, grant: Grant) -> None:
        self.grant = grant
        self._server = server
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None

    def open(self, wire: AuthTransport) -> None:
        """Wait for the first call."""
        self._token = None
        self._server.open(wire)

    async def close(self) -> None:
        """End a fetch that is in progress."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def header(self, method: str, target: str) -> str:
        """Return the token, fetched when there is none or it is due."""
        token = self._token
        if token is None or monotonic() >= token.due:
            token = await self._renewed(token)
        return _bearer(token)

    async def again(self, method: str, target: str, refused: str | None, challenges: Sequence[str]) -> str | None:
        """Another token than the refused one."""
        token = self._token
        if token is None or _bearer(token) == refused:
            # Others that were refused with it wait for the same fetch.
            self._token = None
            token = await self._fetched()
        return None if _bearer(token) == refused else _bearer(token)

    async def _renewed(self, token: Token | None) -> Token:
        try:
            return await self._fetched()
        except UpstreamError:
            now = monotonic()
            if token is None or now >= token.end:
                raise
            # It serves to its end; not every call until then need ask.
            self._token = Token(token.value, min(now + _AGAIN, token.end), token.end)
            return self._token

    async def _fetched(self) -> Token:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._end)
        # A caller that goes away must not take the token from those that wait with it.
        return await asyncio.shield(self._fetching)

    async def _fetch(self) -> Token:
        answer = await self._server.token(self.grant)
        now = monotonic()
        seconds = answer.seconds
        self._token = Token(answer.token, now + max(seconds - MARGIN, seconds / 2), now + seconds)
        return self._token

    def _end(self, task: asyncio.Task[Token]) -> None:
        self._fetching = None
        # Asked for, so that a failure that nobody waits for any more is not reported by the loop.
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.warning("%s", error)


def _bearer(token: Token) -> str:
    return f"Bearer {token.value}"
