"""Fetch documents over HTTP, with limits, from allowed origins, and not from private addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from adapter_host.client_session import ClientConnector
from adapter_host.errors import AdapterHostError
from adapter_host.hosts import is_loopback
from adapter_host.restricted_reads import restricted_reads

SECONDS: Final = 30.0
MAX_REDIRECTS: Final = 5

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class FetchError(AdapterHostError):
    """A document cannot be fetched."""


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of a URL, or None if it has none."""
    try:
        return str(URL(url).origin())
    except ValueError:
        return None


def is_private(address: str) -> bool:
    """Return True for an address that is not on the public Internet, also within one of IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_private(str(inner))
    return not ip.is_global or ip.is_multicast


@dataclass(slots=True)
class Fetcher:
    """Fetches documents from `origins`, through redirects too.

    Private addresses are refused, other than those of the first document if that has one: its URL is the user's.
    With `allows_private`, they are not.
    """

    origins: frozenset[str] = frozenset()
    allows_private: bool = False
    _first: str | None = None
    """The origin of the first document, once it is known to have a private address."""
    _addresses: list[str] = field(default_factory=list)
    """The addresses that the current request connects to."""
    _refused: list[str] = field(default_factory=list)
    """The private addresses that it does not connect to."""

    def fetch_first(self, url: str, limit: int) -> bytes:
        """Return the body at the URL that the user named; raise `FetchError`."""
        origin = origin_of(url)
        self.origins |= {origin} if origin else set()
        return asyncio.run(self._fetch(url, limit, is_first=True))

    def fetch(self, url: str, limit: int) -> bytes:
        """Return the body at a URL; raise `FetchError`."""
        return asyncio.run(self._fetch(url, limit, is_first=False))

    def allows(self, url: str) -> bool:
        """Return True if a URL is on an allowed origin."""
        return origin_of(url) in self.origins

    async def _fetch(self, url: str, limit: int, *, is_first: bool) -> bytes:
        if restricted_reads() is not None:
            raise FetchError("nothing is fetched for a document that is open in an editor")
        try:
            async with asyncio.timeout(SECONDS):
                for _ in range(MAX_REDIRECTS + 1):
                    # A session for each: it would reuse a connection whose address was another's to choose.
                    async with (
                        self._session(url, is_first=is_first) as session,
                        session.get(url, allow_redirects=False) as response,
                    ):
                        if is_first:
                            self._note_first(url)
                        if response.status not in _REDIRECTS:
                            return await _body(response, limit)
                        url, is_first = self._redirect_target(response), False
            raise FetchError(f"cannot fetch: more than {MAX_REDIRECTS} redirects")
        except TimeoutError:
            raise FetchError(f"cannot fetch: timeout after {SECONDS:g} seconds") from None
        except aiohttp.ClientConnectorError as error:
            if self._refused and not self._addresses:
                raise _private(url, self._refused[0]) from None
            raise FetchError(f"cannot fetch: {type(error).__name__}: {error}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchError(f"cannot fetch: {type(error).__name__}: {error}") from error

    def _session(self, url: str, *, is_first: bool) -> aiohttp.ClientSession:
        self._addresses.clear()
        self._refused.clear()
        checked = not (is_first or self.allows_private or origin_of(url) == self._first)
        if checked and _is_proxied(url):
            # The proxy resolves the name, and has an address of its own.
            _check_literal(url)
            checked = False
        return aiohttp.ClientSession(
            connector=ClientConnector(limit=1, socket_factory=self._checked_socket if checked else self._noting_socket),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            trust_env=True,
        )

    def _checked_socket(self, info: Any) -> socket.socket:
        """Return a socket for the address that is connected to; raise `OSError` if it is private."""
        address = info[4][0]
        if is_private(address):
            self._refused.append(address)
            raise OSError(f"{address} is a private address")
        return self._noting_socket(info)

    def _noting_socket(self, info: Any) -> socket.socket:
        self._addresses.append(info[4][0])
        return socket.socket(*info[:3])

    def _note_first(self, url: str) -> None:
        if any(map(is_private, self._addresses)):
            self._first = origin_of(url)

    def _redirect_target(self, response: aiohttp.ClientResponse) -> str:
        """Return the URL of a redirect; raise `FetchError` if it is not on an allowed origin."""
        target = str(response.url.join(URL(response.headers.get("Location", ""))))
        if not self.allows(target):
            host = origin_of(target) or "an invalid URL"
            message = f"cannot fetch: it redirects to another host ({host}); use a URL without redirects, or add "
            raise FetchError(f"{message}--allow-host")
        return target


def _check_literal(url: str) -> None:
    """Raise `FetchError` if the host of a URL is a private address itself."""
    host = URL(url).host or ""
    try:
        private = is_private(host)
    except ValueError:
        private = is_loopback(host)
    if private:
        raise _private(url, host)


def _private(url: str, address: str) -> FetchError:
    return FetchError(f"cannot fetch: {origin_of(url)} has the private address {address}; add --allow-private")


def _is_proxied(url: str) -> bool:
    parsed = URL(url)
    return parsed.scheme in getproxies() and not proxy_bypass(parsed.host or "")


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if response.status != 200:
        raise FetchError(f"cannot fetch: status {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError("the response is compressed; download and unpack it, and import the file")
    return await _read(response.content, limit)


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > limit:
            raise FetchError(f"larger than {limit // (1024 * 1024)} MiB")
    return bytes(body)
