"""The head of a request in an ASGI scope (ASGI 3.0, HTTP and WebSocket format 2.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from aiohttp import hdrs
from aiohttp.http import HttpVersion11, RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_SAFE_IN_PATHS: Final = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a request: `message` with the URL below `root_path`, where the application is mounted.

    `has_body` is None if only the first message of the body says whether there is one.
    """

    message: RawRequestMessage
    root_path: str
    has_body: bool | None


def read_head(scope: Mapping[str, Any]) -> RequestHead:
    """Return the head of a request."""
    headers = _read_headers(scope["headers"])
    root_path = scope.get("root_path", "").rstrip("/")
    raw_path = _raw_path(scope)
    path = _path_below(root_path, raw_path)
    query = scope.get("query_string", b"").decode("utf-8", "surrogateescape")
    message = RawRequestMessage(
        method=scope["method"],
        # The target as it was sent, which clients sign in a digest.
        path=f"{raw_path}?{query}" if query else raw_path,
        # The server frames the response, whatever the version is.
        version=HttpVersion11,
        headers=CIMultiDictProxy(headers),
        raw_headers=tuple((name, value) for name, value in scope["headers"]),
        should_close=False,
        compression=None,
        upgrade=False,
        chunked=False,
        url=URL.build(path=path, query_string=query, encoded=True),
    )
    return RequestHead(message, root_path, _has_body(headers, scope.get("http_version", "1.1")))


def _read_headers(raw: Any) -> CIMultiDict[str]:
    headers = CIMultiDict((name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in raw)
    # The server has responded to it.
    headers.popall(hdrs.EXPECT, None)
    if len(cookies := headers.getall(hdrs.COOKIE, ())) > 1:
        # HTTP/2 may split it (RFC 9113, section 8.2.3).
        headers[hdrs.COOKIE] = "; ".join(cookies)
    return headers


def _has_body(headers: Mapping[str, str], version: str) -> bool | None:
    if hdrs.CONTENT_LENGTH in headers:
        return headers[hdrs.CONTENT_LENGTH].strip() != "0"
    if hdrs.TRANSFER_ENCODING in headers:
        return True
    return False if version.startswith("1") else None


def _raw_path(scope: Mapping[str, Any]) -> str:
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"], safe=_SAFE_IN_PATHS) if raw is None else raw.decode("utf-8", "surrogateescape")


def _path_below(root_path: str, raw_path: str) -> str:
    """Return the path below `root_path`; servers differ in whether the path of a scope includes it."""
    depth = root_path.count("/")
    segments = raw_path.split("/", depth + 1)
    if not depth or unquote("/".join(segments[: depth + 1])) != root_path:
        return raw_path or "/"
    return f"/{'/'.join(segments[depth + 1 :])}"
