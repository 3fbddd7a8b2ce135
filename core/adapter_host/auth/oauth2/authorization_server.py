"""The authorization server: what it says of itself, and requests to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import orjson

from adapter_host.errors import UnavailableError
from adapter_host.operation.streams import read_at_most

from .metadata import is_secure, metadata_urls

TIMEOUT: Final = 5.0
"""For how many seconds a request to it may last, the wait for a connection included."""
RETRY_AFTER: Final = 5.0
"""How many seconds after it could not be used it is asked again."""
MAX_CONNECTIONS: Final = 10
RESPONSE_LIMIT: Final = 1024 * 1024

_UNUSABLE: Final = "the authorization server cannot be used now"

_log = logging.getLogger("adapter_host")


class AuthorizationServer:
    """One authorization server; found at the first need, and asked over HTTPS alone, unless it is on this machine."""

    def __init__(self, declared: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = declared
        """As the server writes it, once its metadata is known; a slash at the end is all that may differ."""
        self._declared = declared
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._metadata: Mapping[str, Any] | None = None
        self._not_before = float("-inf")
        self._discovery_lock: asyncio.Lock

    async def start(self) -> None:
        """Be ready to ask."""
        self._discovery_lock = asyncio.Lock()
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json"},
        )

    async def stop(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def endpoint(self, name: str) -> str:
        """The URL that its metadata gives under `name`; raises `UnavailableError`."""
        async with self._discovery_lock:
            if self._metadata is None:
                self._metadata = await self._discover()
        url = self._metadata.get(name)
        # Who is on this machine may say so of its other places; anybody else may not lead back here.
        if not isinstance(url, str) or not is_secure(url) or (url.startswith("http:") and not self._is_local()):
            self.forget_metadata()
            raise self._unavailable(f"its metadata has no usable '{name}'")
        return url

    def forget_metadata(self) -> None:
        """Look for its metadata anew at the next need, since what they say is no longer so."""
        self._metadata = None

    async def request_json(self, url: str, form: Mapping[str, str] | None = None, **options: Any) -> Mapping[str, Any]:
        """The JSON object at a URL, or the answer to a form; raises `UnavailableError`."""
        status, document = await self._request(url, form, **options)
        if document is None:
            raise self._unavailable(f"{url} answered {status} without a JSON object")
        return document

    async def _discover(self) -> Mapping[str, Any]:
        if self._clock() < self._not_before:
            raise UnavailableError(_UNUSABLE, retry_after=RETRY_AFTER)
        for url in metadata_urls(self._declared):
            _, document = await self._request(url)
            if document is not None:
                return self._validated(document)
        raise self._unavailable("it has no metadata at any of the known places")

    def _validated(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        issuer = metadata.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self._declared.rstrip("/"):
            raise self._unavailable("its metadata names another issuer")
        self.issuer = issuer
        return metadata

    async def _request(
        self, url: str, form: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, dict[str, Any] | None]:
        """The status, and the JSON object of a success."""
        if self._session is None:
            raise UnavailableError(_UNUSABLE)
        method = "GET" if form is None else "POST"
        try:
            # A redirect would lead tokens, and what is believed, to a place that nobody has declared.
            async with self._session.request(method, url, data=form, allow_redirects=False, **options) as response:
                body = await read_at_most(RESPONSE_LIMIT, response.content.iter_any()) or b""
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(f"{url}: {type(error).__name__}") from error
        if response.status >= 500:
            raise self._unavailable(f"{url} answered {response.status}")
        return response.status, _json_object(body) if response.status == 200 else None

    def _is_local(self) -> bool:
        return self._declared.startswith("http:")

    def _unavailable(self, reason: str) -> UnavailableError:
        self._not_before = self._clock() + RETRY_AFTER
        _log.warning("authorization server %s cannot be used: %s", self._declared, reason)
        return UnavailableError(_UNUSABLE, retry_after=RETRY_AFTER)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
