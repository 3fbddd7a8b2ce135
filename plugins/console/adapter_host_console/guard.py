"""The checks of every request, and the headers of every response."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapter_host import AdapterHostError, ArgumentError, is_loopback, new_request_id, problem_response

from .pages import APPLICATION
from .roles import PERSON, ROLE, may_use
from .sessions import Sessions

HEADERS: Final = {
    **APPLICATION.security_headers,
    "Server": "adapter-host",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LOG: Final = logging.getLogger("adapter_host.console")


class RejectedError(AdapterHostError):
    """A request was rejected; `status` is the HTTP status of the response."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        # The name of a file may have bytes that are no Unicode.
        super().__init__(message.encode("utf-8", "backslashreplace").decode())


def guard(sessions: Sessions, cookie: str, hosts: Collection[str]) -> Middleware:
    """Return the middleware of all checks."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_host(request, hosts)
            if request.method in _WRITES:
                _check_origin(request)
            person = sessions.person_of(request.cookies.get(cookie))
            role = None if person is None else person.role
            if person is not None:
                request[PERSON], request[ROLE] = person, person.role
            if may_use(role, request):
                response = await handler(request)
            elif role is not None:
                raise RejectedError(403, "this session is read-only; an operator can do this")
            elif request.path == "/":
                response = web.Response(status=303, headers={"Location": "/login"})
            else:
                raise RejectedError(401, "not logged in; open the login link that the command has printed")
        except RejectedError as error:
            response = problem_response(error.status, str(error))
        except ArgumentError as error:
            response = problem_response(error.status, error.message, title=error.title)
        except web.HTTPException as error:
            response = problem_response(error.status, error.reason.lower())
        except Exception:
            # The details may contain secrets, so they are only logged.
            request_id = new_request_id()
            _LOG.exception("request %s: %s %s: unexpected error", request_id, request.method, request.path)
            response = problem_response(500, "unexpected error", request_id=request_id)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return check


def _check_host(request: web.Request, hosts: Collection[str]) -> None:
    """Reject the names of other hosts, by which a page of another site could read responses (DNS rebinding)."""
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        name = ""
    if not (is_loopback(name) or name in hosts):
        raise RejectedError(403, "the Host header is not allowed; use the address of the login link")


def _check_origin(request: web.Request) -> None:
    """Reject requests of pages of other origins, including other local ports."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
    expected = f"{request.scheme}://{request.headers.get('Host', '')}"
    if site != "same-origin" or (origin is not None and origin.lower() != expected.lower()):
        raise RejectedError(403, "cross-origin request rejected")
