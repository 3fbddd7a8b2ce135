"""Cacheable HTTP responses, and errors as problem details."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from adapter_host import OperationError, current_call, error_problem, guess_media_type, problem_response

_LOG: Final = logging.getLogger("adapter_host.skill")

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"

_HEADERS: Final = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
# Files are third-party content on our origin, so browsers must not run scripts in them.
_FILE_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}


@dataclass(frozen=True, slots=True)
class CacheableResponse:
    """A body with its media type and entity tag (RFC 9110, 8.8.3)."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", hashlib.sha256(self.body).hexdigest()[:32])

    @classmethod
    def from_data(cls, data: Any) -> CacheableResponse:
        """Create a JSON response."""
        return cls(orjson.dumps(data), JSON)

    @classmethod
    def from_file(cls, path: str, body: bytes) -> CacheableResponse:
        """Create a response from a file; its name determines the media type."""
        media_type = guess_media_type(path) or BYTES
        if media_type.startswith("text/") and _is_text(body):
            media_type += "; charset=utf-8"
        return cls(body, media_type, _FILE_HEADERS)

    def response(self, request: web.Request) -> web.Response:
        """Return the HTTP response; 304 if `If-None-Match` has the entity tag."""
        headers = {**_HEADERS, **self.headers, "ETag": f'"{self.tag}"'}
        # If-None-Match uses the weak comparison (RFC 9110, 13.1.2).
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
    """Convert errors of handlers to problem details (RFC 9457)."""
    try:
        return await handler(request)
    except OperationError as error:
        return error_problem(error)
    except web.HTTPMethodNotAllowed as error:
        return _method_not_allowed(error)
    except web.HTTPException:
        raise
    except Exception:  # the details may contain secrets, so they are only logged
        request_id = current_call().request_id
        _LOG.exception("request %s: unexpected error", request_id)
        return problem_response(500, "unexpected error", request_id=request_id)


def _method_not_allowed(error: web.HTTPMethodNotAllowed) -> web.Response:
    allow = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
    if error.method == "OPTIONS":
        return web.Response(status=204, headers={**_HEADERS, "Allow": allow})
    message = f"method {error.method} is not allowed; use one of {allow}"
    return problem_response(405, message, title="Method not allowed", headers={"Allow": allow})
