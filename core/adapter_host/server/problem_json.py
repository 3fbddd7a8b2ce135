"""Errors over HTTP: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from adapter_host.operation.callers import current_request_id

PROBLEM_JSON: Final = "application/problem+json"

SERVER: Final = "adapter-host"
"""The value of the `Server` header. The version is left out, because it helps only attackers."""


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
