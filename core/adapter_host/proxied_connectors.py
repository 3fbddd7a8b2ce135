"""Connections of aiohttp through proxies."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from .client_session import ClientConnector


class RefusedByProxyError(aiohttp.ClientConnectionError):
    """A proxy opened no connection; the text can be logged."""


class TunnelConnector(ClientConnector):
    """Connects through HTTP proxies; the TLS of the API is not that of the connection to its proxy."""

    def _update_proxy_auth_header_and_build_proxy_req(self, req: aiohttp.ClientRequest) -> aiohttp.ClientRequest:
        proxy_request = super()._update_proxy_auth_header_and_build_proxy_req(req)
        # It has the TLS of the connector, without the certificate and authorities for the API.
        proxy_request._ssl = True
        return proxy_request

    async def _create_proxy_connection(self, *args: Any, **options: Any) -> Any:
        try:
            return await super()._create_proxy_connection(*args, **options)
        except aiohttp.ClientHttpProxyError as error:
            raise RefusedByProxyError(f"the proxy responded with status {error.status}") from error


class SocksConnector(ClientConnector):
    """Connects through a SOCKS5 proxy, which resolves the host names."""

    def __init__(self, proxy: URL, **options: Any) -> None:
        super().__init__(resolver=_NoResolver(), **options)
        self._socks_url = proxy

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: Any, req: aiohttp.ClientRequest, **options: Any
    ) -> Any:
        options.pop("client_error", None)
        seconds = options.pop("timeout").sock_connect
        try:
            async with asyncio.timeout(seconds):
                connected = await self._connect(addr_infos[0][4][0], addr_infos[0][4][1])
                return await self._loop.create_connection(*args, **options, sock=connected)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection through the proxy in time") from error
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error

    async def _connect(self, host: str, port: int) -> socket.socket:
        # Imported late: only SOCKS needs the library, which is optional.
        from python_socks import ProxyError as SocksError
        from python_socks import ProxyType
        from python_socks.async_.asyncio import Proxy

        url = self._socks_url
        proxy = Proxy(ProxyType.SOCKS5, url.host or "", url.port or 0, url.user, url.password, rdns=True)
        try:
            connected: socket.socket = await proxy.connect(host, port)
        except SocksError as error:
            code = "" if error.error_code is None else f" with code {error.error_code}"
            raise RefusedByProxyError(f"the proxy refused the connection{code}") from error
        return connected


class _NoResolver(AbstractResolver):
    """Leaves host names to the proxy."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [{"hostname": host, "host": host, "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """There is nothing to close."""
