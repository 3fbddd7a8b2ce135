"""Errors in responses: messages with a stable code in their extensions, and never the internals of the host."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, Final

from graphql import GraphQLError

from adapter_host import (
    ApprovalRequiredError,
    ArgumentError,
    InternalError,
    NotFoundError,
    OperationError,
    RefusedError,
    UnavailableError,
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    bare_media_type,
    current_call,
    decode_text,
    error_details,
    is_json,
    parse_json,
)

log = logging.getLogger("adapter_host.graphql")

PARSE_FAILED: Final = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED: Final = "GRAPHQL_VALIDATION_FAILED"
BAD_REQUEST: Final = "BAD_REQUEST"
BAD_USER_INPUT: Final = "BAD_USER_INPUT"
INTERNAL: Final = "INTERNAL_SERVER_ERROR"

_CODES: Final[Mapping[type[OperationError], str]] = {
    # The first one that an error is.
    ArgumentError: BAD_USER_INPUT,
    ApprovalRequiredError: "APPROVAL_REQUIRED",
    RefusedError: "FORBIDDEN",
    NotFoundError: "NOT_FOUND",
    InternalError: INTERNAL,
    UnavailableError: "UNAVAILABLE",
    UpstreamUnreachableError: "UPSTREAM_UNREACHABLE",
    UpstreamDisconnectedError: "UPSTREAM_DISCONNECTED",
    UpstreamIncompleteError: "UPSTREAM_INCOMPLETE",
    UpstreamInvalidError: "UPSTREAM_INVALID",
    UpstreamTimeoutError: "UPSTREAM_TIMEOUT",
    UpstreamStatusError: "UPSTREAM_STATUS",
    UpstreamError: "UPSTREAM_ERROR",
    OperationError: "OPERATION_FAILED",
}

_STATUS_CODES: Final = {409: "CONFLICT", 422: "UNPROCESSABLE", 429: "TOO_MANY_REQUESTS"}
"""The codes for statuses of plugins' errors, which no class of the core has."""

_NAMES: Final = {"retry_after": "retryAfter", "upstream_status": "upstreamStatus", "expires_in": "expiresIn"}


class RequestError(Exception):
    """A request that is not executed: its status, the errors of the response, and headers.

    Where the request itself is well-formed, clients that accept only `application/json` get the status 200.
    """

    def __init__(
        self, *errors: GraphQLError, status: int = 400, code: str = BAD_REQUEST, allow: str | None = None
    ) -> None:
        self.errors = [format_error(error, code) for error in errors]
        self.status = status
        self.allow = allow
        self.is_well_formed = code != BAD_REQUEST
        super().__init__(errors[0].message)


def code_of(error: OperationError) -> str:
    """Return the stable code of an error: that of its class, or of a status that only a plugin's class has."""
    kind, code = next((kind, code) for kind, code in _CODES.items() if isinstance(error, kind))
    return code if error.status == kind.status else _STATUS_CODES.get(error.status, code)


def format_error(error: GraphQLError, code: str, **extensions: Any) -> dict[str, Any]:
    """Return an error of a response (GraphQL, section 7.1.2)."""
    formatted: dict[str, Any] = dict(error.formatted)
    formatted["extensions"] = {"code": code, **(formatted.get("extensions") or {}), **extensions}
    return formatted


def format_field_error(error: GraphQLError, called: Collection[str | int]) -> dict[str, Any]:
    """Return the error of one field; `called` are the keys of the fields whose operations were called."""
    cause = error.original_error
    if isinstance(cause, OperationError):
        return format_error(error, code_of(cause), **_details(cause))
    if not error.path or error.path[0] not in called:
        return format_error(error, BAD_USER_INPUT)
    # The result does not have the declared type.
    if cause is not None and not isinstance(cause, GraphQLError | TypeError):
        log.error("unexpected error of a field", exc_info=cause)
        return format_error(GraphQLError("unexpected error", error.nodes, path=error.path), INTERNAL)
    return format_error(error, _CODES[UpstreamInvalidError])


def _details(error: OperationError) -> dict[str, Any]:
    """Return the extensions of an error of an operation; log errors of the host and of the upstream."""
    details: dict[str, Any] = {}
    if error.status >= 500:
        details["requestId"] = current_call().request_id
        log.warning("request %s: %s", details["requestId"], error.message)
    details |= {_NAMES.get(name, name): value for name, value in error_details(error).items() if name != "type"}
    if "approval" in details:
        details["approval"] = {_NAMES.get(name, name): value for name, value in details["approval"].items()}
    if isinstance(error, UpstreamStatusError):
        details["upstream"] = {"status": details.pop("upstreamStatus"), **_upstream_body(error)}
    return details


def _upstream_body(error: UpstreamStatusError) -> dict[str, Any]:
    """Return the body of the upstream's error as JSON or text; nothing for other bytes."""
    media_type = bare_media_type(error.media_type)
    try:
        if error.body and is_json(media_type):
            return {"body": parse_json(error.body)}
        return {"body": decode_text(error.body, error.media_type)} if media_type.startswith("text/") else {}
    except ValueError:
        return {}
