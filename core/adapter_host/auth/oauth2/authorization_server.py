"""A client of the authorization server: its metadata, and requests to its endpoints."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import orjson

from adapter_host.client_session import open_client_session
from adapter_host.errors import UnavailableError
from adapter_host.operation.streams import read_at_most

from .metadata import is_secure, metadata_urls

TIMEOUT: Final = 5.0
"""The timeout of a request in seconds, with the wait for a connection."""
RETRY_AFTER: Final = 5.0
"""The delay before the next request after a failure, in seconds."""
MAX_CONNECTIONS: Final = 10
RESPONSE_LIMIT: Final = 1024 * 1024

_UNUSABLE: Final = "the authorization server is unavailable"

_log = logging.getLogger("adapter_host")


class AuthorizationServer:
    """One authorization server; discovered on first use, over HTTPS unless it is on localhost."""

    def __init__(self, declared: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = declared
        """The issuer in its metadata, once known; it may differ from the declared one in a trailing slash only."""
        self._declared = declared
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._metadata: Mapping[str, Any] | None = None
        self._not_before = float("-inf")
        self._discovery_lock: asyncio.Lock

    async def start(self) -> None:
        """Open the HTTP session."""
        self._discovery_lock = asyncio.Lock()
        self._session = open_client_session(limit=MAX_CONNECTIONS, timeout=aiohttp.ClientTimeout(total=TIMEOUT))

    async def stop(self) -> None:
        """Close the HTTP session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def endpoint(self, name: str) -> str:
        """Return the URL of an endpoint by its name in the metadata; raise `UnavailableError`."""
        async with self._discovery_lock:
            if self._metadata is None:
                self._metadata = await self._discover()
        url = self._metadata.get(name)
        # Only a server on localhost may refer to localhost (server-side request forgery).
        if not isinstance(url, str) or not is_secure(url) or (url.startswith("http:") and not self._is_local()):
            self.forget_metadata()
            raise self._unavailable(f"its metadata has no usable '{name}'")
        return url

    def forget_metadata(self) -> None:
        """Discard the metadata, so that the next use fetches it again."""
        self._metadata = None

    async def request_json(self, url: str, form: Mapping[str, str] | None = None, **options: Any) -> Mapping[str, Any]:
        """Return the JSON object at a URL, or in the response to a form; raise `UnavailableError`."""
        status, document = await self._request(url, form, **options)
        if document is None:
            raise self._unavailable(f"{url} returned {status} without a JSON object")
        return document

    async def _discover(self) -> Mapping[str, Any]:
        if self._clock() < self._not_before:
            raise UnavailableError(_UNUSABLE, retry_after=RETRY_AFTER)
        for url in metadata_urls(self._declared):
            _, document = await self._request(url)
            if document is not None:
                return self._validated(document)
        raise self._unavailable("no metadata at the well-known URLs")

    def _validated(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        issuer = metadata.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self._declared.rstrip("/"):
            raise self._unavailable("its metadata has another issuer")
        self.issuer = issuer
        return metadata

    async def _request(
        self, url: str, form: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, dict[str, Any] | None]:
        """Return the status, and the JSON object of a 200 response."""
        if self._session is None:
            raise UnavailableError(_UNUSABLE)
        method = "GET" if form is None else "POST"
        try:
            # A redirect would send tokens to a server that the document does not declare.
            async with self._session.request(method, url, data=form, allow_redirects=False, **options) as response:
                body = await read_at_most(RESPONSE_LIMIT, response.content.iter_any()) or b""
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(f"{url}: {type(error).__name__}") from error
        if response.status >= 500:
            raise self._unavailable(f"{url} returned {response.status}")
        return response.status, _json_object(body) if response.status == 200 else None

    def _is_local(self) -> bool:
        return self._declared.startswith("http:")

    def _unavailable(self, reason: str) -> UnavailableError:
        self._not_before = self._clock() + RETRY_AFTER
        _log.warning("authorization server %s is unavailable: %s", self._declared, reason)
        return UnavailableError(_UNUSABLE, retry_after=RETRY_AFTER)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
