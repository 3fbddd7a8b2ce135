"""Authorize the requests of one consumer, and request tokens the way that its API is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from adapter_host.client_proxy import ClientProxy
from adapter_host.client_tls import ClientTls
from adapter_host.environment_proxies import environment_proxy
from adapter_host.errors import UpstreamTimeoutError
from adapter_host.plugin.context import BuildContext

from .credential import AuthTransport, UpstreamCredential

if TYPE_CHECKING:
    import aiohttp

    from adapter_host.client_session import ClientConnector

_CONNECTIONS: Final = 10
"""Connections to the authorization server; there is one request for a token at a time."""


@asynccontextmanager
async def _in_time(deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        # A request that was rejected was not executed.
        message = "the authorization of the request took too long"
        raise UpstreamTimeoutError(message, sent=False) from error


class Authorizer:
    """The value of a credential for each request of a consumer, from its start to its stop.

    `proxy` and `tls` are those of the API. An authorization server is called through the same proxy, or else that of
    the environment, and gets the certificate of `tls` only if it has the origin of the API. `connect_timeout` and
    `total_timeout` are in seconds; a token request may take half of the latter.

    For a fixed value nothing is awaited: `flow` is None.
    """

    def __init__(
        self,
        credential: UpstreamCredential | None,
        context: BuildContext,
        connect_timeout: float,
        total_timeout: float,
        *,
        tls: ClientTls | None = None,
        proxy: ClientProxy | None = None,
    ) -> None:
        self.credential = credential
        self.flow = None if credential is None else credential.auth_flow
        self._environment = context.settings.environment
        self._connect_timeout = connect_timeout
        self._total_timeout = total_timeout
        self._tls = tls
        self._proxy = proxy
        self._origin: URL | None = None
        self._is_mock = False
        self._session: aiohttp.ClientSession | None = None

    def start(self, base: str, *, mock_url: str | None = None) -> None:
        """Prepare requests to the API at the URL `base`; nothing is sent yet.

        A mock server at `mock_url` replaces the authorization server.
        """
        if self.flow is None:
            return
        self._origin, self._is_mock = URL(base).origin(), mock_url is not None
        self._session = self._open_session()
        self.flow.open(AuthTransport(self._session, self._options, self._total_timeout, mock_url))

    async def stop(self) -> None:
        """Cancel token requests in progress, and close connections."""
        session, self._session = self._session, None
        if self.flow is not None:
            await self.flow.close()
        if session is not None:
            await session.close()

    async def value(self, deadline: float, *, method: str = "POST", target: str = "") -> str | None:
        """Return the value of a request, None if it has none (yet); raise `UpstreamError` if a token is not issued.

        `deadline` is a time of the event loop. `method` and `target` of the request are those that `digest` signs.
        """
        if self.flow is None:
            return None if self.credential is None else self.credential.value
        async with _in_time(deadline):
            return await self.flow.header(method, target)

    async def value_after(
        self,
        rejected: str | None,
        deadline: float,
        *,
        challenges: Sequence[str] = (),
        method: str = "POST",
        target: str = "",
    ) -> str | None:
        """Return another value after the API has rejected one, or None to keep the rejection; raise `UpstreamError`.

        Call it once for each request, only if it was not executed and can be sent again: after status 401 or its like.
        `challenges` are the `WWW-Authenticate` headers of the response.
        """
        if self.flow is None:
            return None
        async with _in_time(deadline):
            return await self.flow.retry_header(method, target, rejected, challenges)

    def _open_session(self) -> aiohttp.ClientSession:
        # Imported late: few consumers request tokens.
        from aiohttp import ClientTimeout

        from adapter_host.client_session import open_client_session
        from adapter_host.proxied_connectors import SocksConnector, TunnelConnector

        # The flow limits the time of each request.
        timeout = ClientTimeout(total=None, sock_connect=self._connect_timeout, sock_read=self._total_timeout)
        connector: ClientConnector
        if self._proxy is not None and self._proxy.is_socks and not self._is_mock:
            connector = SocksConnector(self._proxy.url, limit=_CONNECTIONS)
        else:
            connector = TunnelConnector(limit=_CONNECTIONS)
        return open_client_session(limit=_CONNECTIONS, timeout=timeout, connector=connector)

    def _options(self, url: URL) -> dict[str, Any]:
        """Return the options of a request to an authorization server."""
        if self._is_mock:
            return {}
        proxy = self._proxy or environment_proxy(url, self._environment)
        found: dict[str, Any] = {} if proxy is None or proxy.is_socks else {"proxy": proxy.url}
        # Other servers do not get the certificate of the host.
        if self._tls is not None and url.origin() == self._origin:
            found |= {"ssl": self._tls.current.context, "server_hostname": self._tls.server_name}
        return found
