"""The route to an API and to its authorization server: the transport, TLS, and proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from yarl import URL

from adapter_host import BuildContext, ClientProxy, ClientTls, compile_client_proxy, compile_client_tls

from .config import HttpConfig
from .proxies import environment_proxy
from .transport.base import Limits, Origin, Transport
from .transport.origins import origin_of, tls_options

if TYPE_CHECKING:
    import aiohttp

    from adapter_host import ClientConnector


class Route:
    """The route of the requests of one consumer; `direct` bypasses proxies and TLS, for a mock server."""

    def __init__(self, config: HttpConfig, context: BuildContext) -> None:
        self._native = config.transport == "native"
        self._environment = context.settings.environment
        self._tls: ClientTls | None = compile_client_tls(config.tls, context)
        self._own_proxy = compile_client_proxy(config.proxy, config, context, socks_extra="adapter-host-http[socks]")
        self._proxy: ClientProxy | None = None
        self._direct = False

    def open(self, base: str, limits: Limits, *, direct: bool) -> tuple[Origin, Transport]:
        """Return the origin of the API, and its transport, which is not open yet."""
        self._direct = direct
        self._origin = origin_of(base, None if direct else self._tls)
        if self._origin.tls is not None:
            self._origin.tls.start()
        self._proxy = self._proxy_of(URL(base))
        return self._origin, self._transport(self._proxy, limits)

    @property
    def proxy_label(self) -> str | None:
        """The name of the proxy for errors, if there is one."""
        return None if self._proxy is None else self._proxy.label

    def _proxy_of(self, url: URL) -> ClientProxy | None:
        if self._direct:
            return None
        return self._own_proxy or environment_proxy(url, self._environment)

    def _transport(self, proxy: ClientProxy | None, limits: Limits) -> Transport:
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

        from .transport.proxied import SocksConnector, TunnelConnector

        # The flow limits the time of each request.
        timeout = ClientTimeout(total=None, sock_connect=limits.connect_timeout, sock_read=limits.idle_timeout)
        connector: ClientConnector
        if self._own_proxy is not None and self._own_proxy.is_socks and not self._direct:
            connector = SocksConnector(self._own_proxy.url, limit=limits.max_connections)
        else:
            connector = TunnelConnector(limit=limits.max_connections)
        return open_client_session(limit=limits.max_connections, timeout=timeout, connector=connector)

    def auth_options(self) -> Callable[[URL], dict[str, Any]]:
        """Return a function with the options of a request to an authorization server."""
        here = URL(str(self._origin)).origin()

        def options(url: URL) -> dict[str, Any]:
            proxy = self._proxy_of(url)
            found: dict[str, Any] = {} if proxy is None or proxy.is_socks else {"proxy": proxy.url}
            # Other servers do not get the certificate of the host.
            if self._origin.tls is not None and url.origin() == here:
                found |= tls_options(self._origin.tls)
            return found

        return options
