"""JSON responses that are not cached, and errors as problem details."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from adapter_host import (
    AdapterHostError,
    ArgumentError,
    Problem,
    UnsupportedCodingError,
    current_call,
    error_problem,
    problem_response,
    read_body,
)

HEADERS: Final = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_LOG: Final = logging.getLogger("adapter_host.control")


class RequestRejectedError(AdapterHostError):
    """The request was rejected; `status` is the HTTP status of the response."""

    def __init__(self, status: int, message: str, **members: Any) -> None:
        self.status = status
        self.members = members
        super().__init__(message)


def json_response(data: Any, status: int = 200) -> web.Response:
    """Return data as a JSON response."""
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json", headers=HEADERS)


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert errors of handlers to problem details."""
    try:
        return await handler(request)
    except RequestRejectedError as error:
        return problem_response(error.status, str(error), headers=HEADERS, **error.members)
    except ArgumentError as error:
        accepted = {"Accept-Encoding": error.accepted} if isinstance(error, UnsupportedCodingError) else {}
        return error_problem(error, {**HEADERS, **accepted})
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problem_response(error.status, error.reason.lower(), headers={**HEADERS, **allow})
    except Exception:
        # The details may contain secrets, so they are only logged.
        request_id = current_call().request_id
        _LOG.exception("request %s: %s %s: unexpected error", request_id, request.method, request.path)
        return problem_response(500, "unexpected error", request_id=request_id, headers=HEADERS)


async def read_object(request: web.Request) -> Mapping[str, Any]:
    """Read a request body, which must be a JSON object."""
    if request.content_type != "application/json":
        raise RequestRejectedError(415, "the Content-Type must be application/json")
    try:
        data = orjson.loads(await read_body(request, request.client_max_size))
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise RequestRejectedError(400, "the body must be a JSON object")
    return data


def problem_to_dict(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON; `text` is the line that the command prints."""
    position = {"file": problem.file, "line": problem.line, "column": problem.column} if problem.file else {}
    return {
        "text": str(problem),
        "message": problem.message,
        "code": problem.code,
        "warning": problem.warning,
        **position,
    }
