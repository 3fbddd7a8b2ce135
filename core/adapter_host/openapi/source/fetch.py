"""Fetch documents over HTTP, with limits, and from one origin."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from yarl import URL

from adapter_host.client_session import ClientConnector
from adapter_host.errors import AdapterHostError

SECONDS: Final = 30.0
MAX_REDIRECTS: Final = 5

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class FetchError(AdapterHostError):
    """A document cannot be fetched."""


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of a URL, or None if it has none."""
    try:
        return str(URL(url).origin())
    except ValueError:
        return None


def fetch(url: str, limit: int) -> bytes:
    """Return the body at a URL, redirects to the same origin followed; raise `FetchError`."""
    return asyncio.run(_fetch(url, limit))


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=ClientConnector(limit=1),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=SECONDS),
        trust_env=True,
    )


async def _fetch(url: str, limit: int) -> bytes:
    try:
        async with asyncio.timeout(SECONDS), _session() as session:
            for _ in range(MAX_REDIRECTS + 1):
                async with session.get(url, allow_redirects=False) as response:
                    if response.status not in _REDIRECTS:
                        return await _body(response, limit)
                    url = _redirect_target(response)
        raise FetchError(f"cannot fetch: more than {MAX_REDIRECTS} redirects")
    except TimeoutError:
        raise FetchError(f"cannot fetch: timeout after {SECONDS:g} seconds") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise FetchError(f"cannot fetch: {type(error).__name__}: {error}") from error


def _redirect_target(response: aiohttp.ClientResponse) -> str:
    """Return the URL of a redirect; raise `FetchError` if it is on another origin."""
    target = str(response.url.join(URL(response.headers.get("Location", ""))))
    origin = origin_of(target)
    if origin is None or origin != origin_of(str(response.url)):
        raise FetchError(
            f"cannot fetch: it redirects to another host ({origin or 'an invalid URL'}); use a URL without redirects"
        )
    return target


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
