"""Fetch documents over HTTP, with limits."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from adapter_host.errors import AdapterHostError

SECONDS: Final = 30.0


class FetchError(AdapterHostError):
    """A document cannot be fetched."""


def fetch(url: str, limit: int) -> bytes:
    """Return the body at a URL; raise `FetchError`."""
    return asyncio.run(_fetch(url, limit))


async def _fetch(url: str, limit: int) -> bytes:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, max_redirects=5) as response,
        ):
            if response.status != 200:
                raise FetchError(f"cannot fetch: status {response.status}")
            return await _read(response.content, limit)
    except TimeoutError:
        raise FetchError(f"cannot fetch: timeout after {SECONDS:g} seconds") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise FetchError(f"cannot fetch: {type(error).__name__}: {error}") from error


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > limit:
            raise FetchError(f"larger than {limit // (1024 * 1024)} MiB")
    return bytes(body)
