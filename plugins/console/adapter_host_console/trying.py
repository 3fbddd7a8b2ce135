"""Calls that a person tries: by the protocol of an exposer, or direct, with the time of each step."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from adapter_host import (
    AdapterHostError,
    ArgumentError,
    ClientRequest,
    Host,
    Operation,
    OperationError,
    UpstreamStatusError,
    is_loopback,
    is_token,
    new_request_id,
)

from .catalog import Entry
from .guard import RejectedError
from .traces import Traces

MAX_BODY: Final = 1024 * 1024
"""Bytes of a response that are shown; of a longer one the beginning is."""

MAX_HEADERS: Final = 20
"""Headers that a person adds to a request."""

_LOG: Final = logging.getLogger("adapter_host.console")
_REQUEST_ID: Final = "X-Request-Id"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=120)


class Trials:
    """Tries the operations of a host."""

    def __init__(self, host: Host, traces: Traces | None) -> None:
        self._host = host
        self._traces = traces
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session for requests to exposers, which keeps no cookies."""
        self._session = aiohttp.ClientSession(
            timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True, trust_env=False
        )

    async def stop(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    def preview(self, entry: Entry, arguments: Mapping[str, Any], url: str | None) -> dict[str, Any]:
        """Return the request of a client and the requests to consumed APIs, with masked secrets; nothing is sent."""
        operation = _operation(entry)
        request = None if url is None else entry.exposer.client_request(operation, arguments, url)
        shown: dict[str, Any] = {"request": None if request is None else _shown(request)}
        try:
            return {**shown, "upstream": operation.preview(arguments), "error": None}
        except AdapterHostError as error:
            return {**shown, "upstream": None, "error": str(error)}

    async def call(
        self, entry: Entry, arguments: Mapping[str, Any], url: str | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """Call an operation by the protocol of its exposer at `url`, or direct without one."""
        operation, request_id = _operation(entry), new_request_id()
        request = None if url is None else entry.exposer.client_request(operation, arguments, url)
        started = perf_counter()
        if request is None:
            response = await self._direct(entry, operation, arguments, request_id)
        else:
            response = await self._send(request, {**request.headers, **_checked(headers), _REQUEST_ID: request_id})
        response["duration_ms"] = round((perf_counter() - started) * 1000, 3)
        response["request_id"] = request_id
        response["trace"] = [] if self._traces is None else self._traces.find(request_id)
        return response

    async def _direct(
        self, entry: Entry, operation: Operation, arguments: Mapping[str, Any], request_id: str
    ) -> dict[str, Any]:
        context = entry.exposer.context
        try:
            with context.call("console", whole_request=True, request_id=request_id):
                result = await (await operation.call(arguments)).hold(self._host.settings.response_limit)
        except UpstreamStatusError as error:
            return {"status": error.upstream_status, "error": error.title, **_body(error.body, error.media_type)}
        except OperationError as error:
            places = error.errors if isinstance(error, ArgumentError) else ()
            message = "; ".join(each.message for each in places) or str(error)
            return {"status": error.status, "error": f"{error.title}: {message}", **_body(b"", "")}
        except Exception:  # third-party code; the details may contain secrets, so they are only logged
            _LOG.exception("request %s: '%s' failed", request_id, operation.name)
            return {"status": 500, "error": "Internal error; the log has the details", **_body(b"", "")}
        return {"status": result.status, "error": None, **_body(result.body, result.media_type)}

    async def _send(self, request: ClientRequest, headers: Mapping[str, str]) -> dict[str, Any]:
        if self._session is None:
            raise RejectedError(503, "the console is stopping")
        # The certificate of the host's own listener is for the names of its clients, not for loopback.
        verified = not is_loopback(urlsplit(request.url).hostname or "")
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=headers,
                data=request.body,
                allow_redirects=False,
                ssl=verified,
            ) as response:
                body = await response.content.read(MAX_BODY + 1)
                while len(body) <= MAX_BODY and (more := await response.content.read(MAX_BODY + 1 - len(body))):
                    body += more
                sent = {name: value for name, value in response.headers.items() if name.lower() != "set-cookie"}
                return {
                    "status": response.status,
                    "error": None,
                    "headers": sent,
                    **_body(body, response.headers.get("Content-Type", "")),
                }
        except (aiohttp.ClientError, TimeoutError) as error:
            return {"status": None, "error": f"no response: {type(error).__name__}", **_body(b"", "")}


def _operation(entry: Entry) -> Operation:
    if entry.entry.operation is None:
        raise RejectedError(400, f"'{entry.entry.title}' cannot be called")
    return entry.entry.operation


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers that a person adds, such as credentials; they are used once and not kept."""
    if len(headers) > MAX_HEADERS:
        raise RejectedError(400, f"too many headers; send at most {MAX_HEADERS}")
    for name, value in headers.items():
        if not is_token(name) or not value.isprintable() or not value.isascii():
            raise RejectedError(400, f"invalid header '{name}'; use letters, digits and printable ASCII")
    return headers


def _shown(request: ClientRequest) -> dict[str, Any]:
    body = None if request.body is None else request.body.decode("utf-8", "replace")
    return {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": body}


def _body(body: bytes, media_type: str) -> dict[str, Any]:
    """Return a body as JSON, text or base64, the beginning of a long one."""
    shown: dict[str, Any] = {"media_type": media_type, "bytes": len(body), "truncated": len(body) > MAX_BODY}
    body = body[:MAX_BODY]
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {**shown, "base64": b64encode(body[:1024]).decode()}
    if not shown["truncated"] and "json" in media_type:
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            return {**shown, "text": text}
        return {**shown, "json": text}
    return {**shown, "text": text}
