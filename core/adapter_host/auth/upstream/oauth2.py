"""OAuth 2.0 client credentials: concurrent calls of a consumer share one token and one request for it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Literal

from pydantic import Field

from adapter_host.auth.oauth2.metadata import is_secure
from adapter_host.capability.model import Model
from adapter_host.capability.spec import Authentication
from adapter_host.errors import UpstreamError
from adapter_host.expressions.template import Template
from adapter_host.json_nesting import encode_json
from adapter_host.plugin.context import BuildContext

from .credential import AUTHORIZATION, AuthFlow, AuthTransport, UpstreamCredential, check_secret, compile_secret
from .shared_tokens import SharedTokens, refresh_after, share_tokens
from .token_endpoint import Grant, TokenEndpointClient, TokenResponse

_LOG: Final = logging.getLogger("adapter_host.auth")

_RETRY_DELAY: Final = 5.0
_USER: Final = re.compile(r"//[^/]*@")
_CLIENT: Final = "x-client"


class ClientConfig(Model):
    """The `x-client` of an authentication: the client's credentials and how it sends them."""

    id: str = "{{CLIENT_ID}}"
    secret: str = Field("{{CLIENT_SECRET}}", repr=False)
    authentication: Literal["basic", "post"] | None = None


def compile_oauth2(authentication: Authentication, context: BuildContext) -> UpstreamCredential | None:
    """Return the credential of a client of an authorization server, or None after reporting a problem."""
    client = context.read_extension(_CLIENT, authentication, ClientConfig)
    if client is None and _CLIENT in (authentication.model_extra or {}):
        return None
    client = client or ClientConfig.model_validate({})
    identity = compile_secret(client.id, authentication, (_CLIENT, "id"), context, ascii_only=False)
    password = compile_secret(client.secret, authentication, (_CLIENT, "secret"), context, ascii_only=False)
    source = _token_source(authentication, context)
    targets = [_optional(authentication, key, context) for key in ("resource", "audience")]
    if identity is None or password is None or source is None:
        return None
    grant = Grant(
        client=identity.constant or "",
        secret=password.constant or "",
        method=client.authentication,
        scope=" ".join(authentication.scopes),
        resource=targets[0],
        audience=targets[1],
    )
    endpoint = TokenEndpointClient(context.namespace, source.url, discovered=source.discovered)
    flow = ClientCredentialsFlow(endpoint, grant, share_tokens(context, source.url, grant))
    masked = f"Bearer (token of {source.masked} for {identity.masked()})"
    account = encode_json([source.url, grant.client, grant.secret, grant.scope, *targets]).decode()
    return UpstreamCredential("header", AUTHORIZATION, "", masked, auth_flow=flow, account=account)


@dataclass(frozen=True, slots=True)
class _TokenSource:
    """URL of a token endpoint, or of an issuer whose metadata names it (`discovered`)."""

    url: str
    masked: str
    discovered: bool


def _token_source(authentication: Authentication, context: BuildContext) -> _TokenSource | None:
    key = "tokenEndpoint" if authentication.token_endpoint else "authorizationServerUri"
    text = authentication.token_endpoint or authentication.authorization_server_uri
    if not text:
        message = "'authorizationServerUri' is missing; authentication 'oauth2' needs it or 'tokenEndpoint'"
        context.problem(message, authentication, key, code="missing-key")
        return None
    template = check_secret(context.url(text, authentication, key), authentication, (key,), context)
    if template is None:
        return None
    url = template.constant or ""
    if context.has_value(template) and not is_secure(url):
        masked_url = _USER.sub("//...@", template.masked())
        message = f"'{key}' must be an https:// or loopback URL (given '{masked_url}')"
        context.problem(message, authentication, key, code="insecure")
        return None
    return _TokenSource(url, template.masked(), discovered=not authentication.token_endpoint)


def _optional(authentication: Authentication, key: str, context: BuildContext) -> str:
    text: str | None = getattr(authentication, key)
    template: Template | None = context.secret(text, authentication, key) if text else None
    return template.constant or "" if template else ""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `refresh_at` and `expires_at` are times of the monotonic clock."""

    value: str = field(repr=False)
    refresh_at: float
    expires_at: float


class ClientCredentialsFlow(AuthFlow):
    """Keeps the token of one client."""

    def __init__(self, endpoint: TokenEndpointClient, grant: Grant, shared: SharedTokens | None = None) -> None:
        self.grant = grant
        self._endpoint = endpoint
        self._shared = shared
        self._wait = 0.0
        self._rejected: str | None = None
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None

    def open(self, transport: AuthTransport) -> None:
        """Discard the token of an earlier start."""
        self._token = self._rejected = None
        # The request itself may take half of the time of the call.
        self._wait = transport.timeout / 4
        self._endpoint.open(transport)

    async def close(self) -> None:
        """Cancel a token request in progress."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def header(self, method: str, target: str) -> str:
        """Return the header with the token; request a token if there is none or it is due."""
        token = self._token
        if token is None or monotonic() >= token.refresh_at:
            token = await self._refresh(token)
        return _bearer(token)

    async def retry_header(
        self, method: str, target: str, rejected: str | None, challenges: Sequence[str]
    ) -> str | None:
        """Return the header with another token than the rejected one, or None."""
        token = self._token
        if token is None or _bearer(token) == rejected:
            # Calls rejected at the same time wait for the same request.
            if token is not None:
                self._token, self._rejected = None, token.value
            token = await self._fetch_once()
        return None if _bearer(token) == rejected else _bearer(token)

    async def _refresh(self, token: Token | None) -> Token:
        try:
            return await self._fetch_once()
        except UpstreamError:
            now = monotonic()
            if token is None or now >= token.expires_at:
                raise
            # The token is valid until it expires; not every call until then needs a new request.
            self._token = Token(token.value, min(now + _RETRY_DELAY, token.expires_at), token.expires_at)
            return self._token

    async def _fetch_once(self) -> Token:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._on_fetched)
        # Cancelling one caller must not cancel the request for the others.
        return await asyncio.shield(self._fetching)

    async def _fetch(self) -> Token:
        if self._shared is None:
            response = await self._request()
        else:
            response = await self._shared.token(self._request, self._rejected, self._wait)
        now = monotonic()
        lifetime = response.expires_in
        self._token = Token(response.access_token, now + refresh_after(lifetime), now + lifetime)
        return self._token

    async def _request(self) -> TokenResponse:
        return await self._endpoint.token(self.grant)

    def _on_fetched(self, task: asyncio.Task[Token]) -> None:
        self._fetching = None
        # Retrieve the exception: without a waiting caller the event loop would report it.
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.warning("%s", error)


def _bearer(token: Token) -> str:
    return f"Bearer {token.value}"
