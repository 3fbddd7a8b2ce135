"""The route to an API: the transport, TLS, and proxies."""

from __future__ import annotations

from yarl import URL

from adapter_host import (
    BuildContext,
    ClientProxy,
    ClientTls,
    compile_client_proxy,
    compile_client_tls,
    environment_proxy,
)

from .config import HttpConfig
from .transport.base import Limits, Origin, Transport
from .transport.origins import origin_of


class Route:
    """The route of the requests of one consumer; `direct` bypasses proxies and TLS, for a mock server."""

    def __init__(self, config: HttpConfig, context: BuildContext) -> None:
        self._native = config.transport == "native"
        self._environment = context.settings.environment
        self.tls: ClientTls | None = compile_client_tls(config.tls, context)
        self.own_proxy = compile_client_proxy(config.proxy, config, context, socks_extra="adapter-host-http[socks]")
        self._proxy: ClientProxy | None = None
        self._direct = False

    def open(self, base: str, limits: Limits, *, direct: bool) -> tuple[Origin, Transport]:
        """Return the origin of the API, and its transport, which is not open yet."""
        self._direct = direct
        self._origin = origin_of(base, None if direct else self.tls)
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
        return self.own_proxy or environment_proxy(url, self._environment)

    def _transport(self, proxy: ClientProxy | None, limits: Limits) -> Transport:
        # Imported late: `validate` needs no transport, and serving usually one of them.
        if self._native and proxy is None:
            from .transport.native import NativeTransport

            return NativeTransport(self._origin, limits)
        from .transport.aiohttp import AiohttpTransport

        return AiohttpTransport(self._origin, limits, proxy)

    async def close(self) -> None:
        """Watch the files of TLS no more."""
        if self.tls is not None:
            await self.tls.stop()
