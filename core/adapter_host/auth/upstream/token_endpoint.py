"""Client of an authorization server: discovers its token endpoint and requests tokens."""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp
import orjson
from yarl import URL

from adapter_host.auth.oauth2.metadata import is_secure, metadata_urls
from adapter_host.errors import UpstreamError, UpstreamInvalidError, UpstreamTimeoutError, UpstreamUnreachableError
from adapter_host.operation.streams import read_at_most

from .credential import AUTHORIZATION, AuthTransport

_LOG: Final = logging.getLogger("adapter_host.auth")

TOKEN_PATH: Final = "/.mock/token"
"""Path of the token endpoint of a mock server."""

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_LIMIT: Final = 64 * 1024
_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
_CODE: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token request; without a `method` the server's metadata selects it, by default `basic`."""

    client: str
    secret: str = field(repr=False)
    method: str | None = None
    scope: str = ""
    resource: str = ""
    audience: str = ""


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """An access token and its lifetime in seconds."""

    access_token: str = field(repr=False)
    expires_in: float


@dataclass(frozen=True, slots=True)
class _Endpoint:
    url: str
    posts_secret: bool = False
    """Whether the server accepts the client's secret only in the form."""


class TokenEndpointClient:
    """Client of the token endpoint at `url`, or of the endpoint that the issuer `url` publishes (`discovered`)."""

    def __init__(self, namespace: str, url: str, *, discovered: bool) -> None:
        self._name = f"the authorization server of '{namespace}'"
        self._url = url
        self._discovered = discovered
        self._endpoint: _Endpoint | None = None
        self._transport: AuthTransport | None = None

    def open(self, transport: AuthTransport) -> None:
        """Set the transport; nothing is sent yet."""
        self._transport = transport
        self._endpoint = None

    async def token(self, grant: Grant) -> TokenResponse:
        """Request a token; raise `UpstreamError`."""
        transport = self._transport
        if transport is None:
            raise UpstreamUnreachableError(f"{self._name} is not open")
        try:
            # Half of the call's timeout, so that the error names the server that was slow.
            async with asyncio.timeout(transport.timeout / 2):
                endpoint = self._endpoint = self._endpoint or await self._discover(transport)
                return await self._request_token(transport, endpoint, grant)
        except UpstreamError as error:
            self._endpoint = None
            # The request of the call has not been sent, or was rejected with 401.
            error.sent = False
            raise
        except TimeoutError as error:
            message = f"{self._name} did not respond within {transport.timeout / 2:g} s"
            raise UpstreamTimeoutError(message, sent=False) from error
        except (aiohttp.ClientError, OSError) as error:
            _LOG.warning("%s: %s", self._name, type(error).__name__)
            raise UpstreamUnreachableError(f"{self._name} cannot be reached") from error

    async def _discover(self, transport: AuthTransport) -> _Endpoint:
        if transport.mock_url is not None:
            return _Endpoint(transport.mock_url + TOKEN_PATH)
        if not self._discovered:
            return _Endpoint(self._url)
        for url in map(URL, metadata_urls(self._url)):
            async with transport.session.get(
                url, headers={"Accept": _JSON}, allow_redirects=False, **transport.options(url)
            ) as response:
                if response.status == 200:
                    return self._endpoint_from_metadata(await self._read(response))
        raise UpstreamInvalidError(f"{self._name} has no metadata; set 'tokenEndpoint'")

    def _endpoint_from_metadata(self, data: Mapping[str, Any]) -> _Endpoint:
        # Metadata of another issuer could send the secret anywhere.
        if str(data.get("issuer")).rstrip("/") != self._url.rstrip("/"):
            raise UpstreamInvalidError(f"{self._name} has metadata of another issuer")
        url = data.get("token_endpoint")
        if not isinstance(url, str) or not is_secure(url):
            raise UpstreamInvalidError(f"{self._name} has no https:// token endpoint in its metadata")
        methods = data.get("token_endpoint_auth_methods_supported")
        supported = methods if isinstance(methods, list) else []
        return _Endpoint(url, "client_secret_post" in supported and "client_secret_basic" not in supported)

    async def _request_token(self, transport: AuthTransport, endpoint: _Endpoint, grant: Grant) -> TokenResponse:
        fields = {
            "grant_type": "client_credentials",
            "scope": grant.scope,
            "resource": grant.resource,
            "audience": grant.audience,
        }
        headers = {"Accept": _JSON, "Content-Type": _FORM}
        if grant.method == "post" or (grant.method is None and endpoint.posts_secret):
            fields |= {"client_id": grant.client, "client_secret": grant.secret}
        else:
            pair = f"{form_encode(grant.client)}:{form_encode(grant.secret)}"
            headers[AUTHORIZATION] = f"Basic {b64encode(pair.encode()).decode()}"
        body = "&".join(f"{name}={form_encode(value)}" for name, value in fields.items() if value)
        url = URL(endpoint.url)
        async with transport.session.post(
            url, data=body.encode(), headers=headers, allow_redirects=False, **transport.options(url)
        ) as response:
            if response.status != 200:
                raise UpstreamInvalidError(f"{self._name} issued no token ({await _failure_reason(response)})")
            return self._parse_response(await self._read(response))

    def _parse_response(self, data: Mapping[str, Any]) -> TokenResponse:
        token = data.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise UpstreamInvalidError(f"{self._name} responded without a valid token")
        if str(data.get("token_type", "bearer")).lower() != "bearer":
            raise UpstreamInvalidError(f"{self._name} issued a token that is not a Bearer token")
        return TokenResponse(token, _seconds(data.get("expires_in")))

    async def _read(self, response: aiohttp.ClientResponse) -> Mapping[str, Any]:
        try:
            data = orjson.loads(await _body(response))
        except orjson.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            raise UpstreamInvalidError(f"{self._name} did not respond with a JSON object")
        return data


def form_encode(text: str) -> str:
    """Encode text for a form field."""
    return quote_plus(text, errors="replace")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    return await read_at_most(_LIMIT, response.content.iter_any()) or b""


async def _failure_reason(response: aiohttp.ClientResponse) -> str:
    """Return the status and a well-formed error code; the server's own text may quote the request."""
    try:
        code = orjson.loads(await _body(response)).get("error")
    except (orjson.JSONDecodeError, AttributeError):
        code = None
    is_code = isinstance(code, str) and _CODE.fullmatch(code)
    return f"status {response.status}: {code}" if is_code else f"status {response.status}"


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return inf
    return max(seconds, 0.0) if isfinite(seconds) else inf
