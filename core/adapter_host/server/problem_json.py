"""Errors over HTTP: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any, Final

import orjson
from aiohttp import web

from adapter_host.errors import OperationError
from adapter_host.operation.callers import current_request_id
from adapter_host.public_errors import error_details

PROBLEM_JSON: Final = "application/problem+json"

SERVER: Final = "adapter-host"
"""The value of the `Server` header. The version is left out, because it helps only attackers."""

_MEMBERS: Final = frozenset({"parameter", "pointer", "errors", "sent", "step", "approval", "upstream_status"})
"""The details of an error that are members of its problem; status and `Retry-After` have the others."""

_RETRY_SECONDS: Final = 1.0


def problem_response(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> web.Response:
    """Return an error response; `members` are extension members (`parameter="limit"`).

    `request_id` is by default that of the call in progress.
    """
    request_id = request_id or current_request_id()
    body = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
        **members,
    }
    default_headers = {"Server": SERVER, "X-Content-Type-Options": "nosniff", "X-Request-Id": request_id}
    all_headers = {**default_headers, **(headers or {})}
    return web.Response(status=status, body=orjson.dumps(body), content_type=PROBLEM_JSON, headers=all_headers)


def error_problem(error: OperationError, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the response for an error of a call, with its details; several places of an argument are in `errors`."""
    details = error_details(error)
    members = {name: value for name, value in details.items() if name in _MEMBERS}
    if "errors" in members:
        members["errors"] = [{"detail": each.pop("message"), **each} for each in members["errors"]]
    if error.status in (429, 503):
        seconds = details.get("retry_after", _RETRY_SECONDS)
        headers = {"Retry-After": str(max(1, ceil(seconds))), **(headers or {})}
    return problem_response(error.status, error.message, title=error.title, headers=headers, **members)
