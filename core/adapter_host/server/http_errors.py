"""Exceptions of aiohttp in applications of exposers, as problem documents."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from .problem_json import problem_response
from .request_ids import request_id_of

_OF_THE_TEXT: Final = frozenset({hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH})


def problem_of(error: web.HTTPException, request: web.Request) -> web.StreamResponse:
    """Return the problem document for an error with the text of aiohttp; raise `error` if it has content of its own."""
    if error.status < 400 or not _has_default_text(error):
        raise error
    headers = {name: value for name, value in error.headers.items() if name not in _OF_THE_TEXT}
    detail = error.reason.lower()
    if isinstance(error, web.HTTPMethodNotAllowed):
        detail = f"method {error.method} is not allowed; use one of {', '.join(sorted(error.allowed_methods))}"
    return problem_response(error.status, detail, request_id=request_id_of(request), headers=headers)


def _has_default_text(error: web.HTTPException) -> bool:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return error.content_type == "text/plain"
    return error.text == f"{error.status}: {error.reason}"


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert exceptions of aiohttp to problem documents."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return problem_of(error, request)
