"""The route to an API and to its authorization server: the transport, TLS, and proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from yarl import URL

from adapter_host import BuildContext, ClientTls, compile_client_tls

from .config import HttpConfig
from .proxies import proxy_of
from .transport.base import Limits, Origin, Transport
from .transport.origins import origin_of

if TYPE_CHECKING:
    import aiohttp


class Route:
    """The route of the requests of one consumer; `direct` bypasses proxies and TLS, for a mock server."""

    def __init__(self, config: HttpConfig, context: BuildContext) -> None:
        self._native = config.transport == "native"
        self._environment = context.settings.environment
        self._tls: ClientTls | None = compile_client_tls(config.tls, context)
        self._direct = False

    def open(self, base: str, limits: Limits, *, direct: bool) -> tuple[Origin, Transport]:
        """Return the origin of the API, and its transport, which is not open yet."""
        self._direct = direct
        self._origin = origin_of(base, None if direct else self._tls)
        if self._origin.tls is not None:
            self._origin.tls.start()
        return self._origin, self._transport(None if direct else proxy_of(URL(base), self._environment), limits)

    def _transport(self, proxy: str | None, limits: Limits) -> Transport:
        # Imported late: `validate` needs no transport, and serving usually one of them.
        if self._native and proxy is None:
            from .transport.native import NativeTransport

            return NativeTransport(self._origin, limits)
        from .transport.aiohttp import AiohttpTransport

        return AiohttpTransport(self._origin, limits, proxy)

    async def close(self) -> None:
        """Watch the files of TLS no more."""
        if self._tls is not None:
            await self._tls.stop()

    def auth_session(self, limits: Limits) -> aiohttp.ClientSession:
        """Return a session for requests to an authorization server."""
        from aiohttp import ClientTimeout

        from adapter_host import open_client_session

        # The flow limits the time of each request.
        timeout = ClientTimeout(total=None, sock_connect=limits.connect_timeout, sock_read=limits.idle_timeout)
        return open_client_session(limit=limits.max_connections, timeout=timeout)

    def auth_options(self) -> Callable[[URL], dict[str, Any]]:
        """Return a function with the options of a request to an authorization server."""
        from .transport.aiohttp import tls_options

        here = URL(str(self._origin)).origin()

        def options(url: URL) -> dict[str, Any]:
            found: dict[str, Any] = {} if self._direct else {"proxy": proxy_of(url, self._environment)}
            # Other servers do not get the certificate of the host.
            if self._origin.tls is not None and url.origin() == here:
                found |= tls_options(self._origin.tls)
            return found

        return options
