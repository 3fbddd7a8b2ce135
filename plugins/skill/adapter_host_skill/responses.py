"""Answers over HTTP: those that a client may keep, and errors."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from adapter_host import OperationError, guess_media_type, new_request_id, problem_response

_LOG: Final = logging.getLogger("adapter_host.skill")

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"

_HEADERS: Final = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
# A file is somebody's content at our own origin: a browser that is led to it runs nothing of it.
_FILE_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}


@dataclass(frozen=True, slots=True)
class CacheableResponse:
    """A body with its media type and its entity tag (RFC 9110, 8.8.3): clients that hold it are not sent it again."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", hashlib.sha256(self.body).hexdigest()[:32])

    @classmethod
    def from_data(cls, data: Any) -> CacheableResponse:
        """Plain data as JSON."""
        return cls(orjson.dumps(data), JSON)

    @classmethod
    def from_file(cls, path: str, body: bytes) -> CacheableResponse:
        """A file's bytes, of the type that its name says."""
        media_type = guess_media_type(path) or BYTES
        if media_type.startswith("text/") and _is_text(body):
            media_type += "; charset=utf-8"
        return cls(body, media_type, _FILE_HEADERS)

    def response(self, request: web.Request) -> web.Response:
        """The answer to a request, which may hold it already."""
        headers = {**_HEADERS, **self.headers, "ETag": f'"{self.tag}"'}
        # The weak comparison, as RFC 9110, 13.1.2 asks for it.
        if any(etag.value in (self.tag, "*") for etag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=self.body, headers={**headers, "Content-Type": self.media_type})


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make a problem (RFC 9457) of whatever goes wrong."""
    try:
        return await handler(request)
    except OperationError as error:
        return problem_response(error.status, error.message, title=error.title)
    except web.HTTPMethodNotAllowed as error:
        return _method_not_allowed(error)
    except web.HTTPException:
        raise
    except Exception:  # what nobody foresaw is that request's failure alone; its details go to the log
        request_id = new_request_id()
        _LOG.exception("request %s: unexpected error", request_id)
        return problem_response(500, "an unexpected error", request_id=request_id)


def _method_not_allowed(error: web.HTTPMethodNotAllowed) -> web.Response:
    allow = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
    if error.method == "OPTIONS":
        return web.Response(status=204, headers={**_HEADERS, "Allow": allow})
    message = f"{error.method} is not allowed here (allowed: {allow})"
    return problem_response(405, message, title="Method not allowed", headers={"Allow": allow})
