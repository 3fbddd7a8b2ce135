"""Answers: JSON that nobody keeps, and errors as problems."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from adapter_host import AdapterHostError, Problem, new_request_id, problem_response

HEADERS: Final = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_LOG: Final = logging.getLogger("adapter_host.control")


class RequestRejectedError(AdapterHostError):
    """A request cannot be done as asked; `status` is what it is answered with."""

    def __init__(self, status: int, message: str, **members: Any) -> None:
        self.status = status
        self.members = members
        super().__init__(message)


def json_response(data: Any, status: int = 200) -> web.Response:
    """Data as JSON."""
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json", headers=HEADERS)


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong in a handler is answered as a problem."""
    try:
        return await handler(request)
    except RequestRejectedError as error:
        return problem_response(error.status, str(error), headers=HEADERS, **error.members)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problem_response(error.status, error.reason.lower(), headers={**HEADERS, **allow})
    except Exception:
        # The edge of the protocol: the details are for the log alone.
        request_id = new_request_id()
        _LOG.exception("request %s: %s %s: unexpected error", request_id, request.method, request.path)
        return problem_response(500, "an unexpected error", request_id=request_id, headers=HEADERS)


async def read_object(request: web.Request) -> Mapping[str, Any]:
    """A request's body: a JSON object."""
    if request.content_type != "application/json":
        raise RequestRejectedError(415, "the Content-Type must be application/json")
    try:
        data = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise RequestRejectedError(400, "the body must be a JSON object")
    return data


def problem_to_dict(problem: Problem) -> dict[str, Any]:
    """A problem as JSON; `text` is as the command prints it."""
    position = {"file": problem.file, "line": problem.line, "column": problem.column} if problem.file else {}
    return {
        "text": str(problem),
        "message": problem.message,
        "code": problem.code,
        "warning": problem.warning,
        **position,
    }
