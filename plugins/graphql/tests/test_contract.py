"""The GraphQL exposer fulfils the contract of exposers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host import (
    ApprovalError,
    ApprovalRequiredError,
    ArgumentError,
    BodyTooLargeError,
    InternalError,
    NotFoundError,
    OperationError,
    RefusedError,
    StoreUnavailableError,
    UnavailableError,
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from adapter_host.testing import CallFailedError, HttpExposerContract

PROBLEM_JSON = "application/problem+json"

CODES: Mapping[type[Exception], str] = {
    OperationError: "OPERATION_FAILED",
    ArgumentError: "BAD_USER_INPUT",
    RefusedError: "FORBIDDEN",
    ApprovalError: "FORBIDDEN",
    ApprovalRequiredError: "APPROVAL_REQUIRED",
    NotFoundError: "NOT_FOUND",
    InternalError: "INTERNAL_SERVER_ERROR",
    UnavailableError: "UNAVAILABLE",
    StoreUnavailableError: "UNAVAILABLE",
    UpstreamError: "UPSTREAM_ERROR",
    UpstreamUnreachableError: "UPSTREAM_UNREACHABLE",
    UpstreamDisconnectedError: "UPSTREAM_DISCONNECTED",
    UpstreamIncompleteError: "UPSTREAM_INCOMPLETE",
    UpstreamInvalidError: "UPSTREAM_INVALID",
    UpstreamTimeoutError: "UPSTREAM_TIMEOUT",
    UpstreamStatusError: "UPSTREAM_STATUS",
}

STATUS_CODES = {409: "CONFLICT", 422: "UNPROCESSABLE", 429: "TOO_MANY_REQUESTS"}


class TestGraphql(HttpExposerContract):
    malformed = (("POST", "", b"{", (400, "BAD_REQUEST")), ("POST", "", b"[7]", (400, "BAD_REQUEST")))

    def kind_of(self, error: Exception) -> object:
        """Return the status of the response and the code: the errors of fields are in a response with 200."""
        if isinstance(error, BodyTooLargeError):
            return 413, "BAD_REQUEST"
        if not isinstance(error, OperationError):
            return 200, "INTERNAL_SERVER_ERROR"
        return 200, CODES.get(type(error)) or STATUS_CODES[error.status]

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailedError | None:
        """Return the first error."""
        if PROBLEM_JSON in headers["Content-Type"]:
            return super().error_of(status, headers, body)
        errors = orjson.loads(body).get("errors")
        if errors is None:
            return None
        extensions = errors[0]["extensions"]
        place = (extensions["parameter"], extensions.get("pointer")) if "parameter" in extensions else None
        kind, sent = (status, extensions["code"]), extensions.get("sent")
        # As clients print errors: the name of an invalid argument is in the extensions.
        return CallFailedError(f"{status} {dict(headers)} {errors}", kind=kind, sent=sent, place=place)

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "graphql", "namespace": "front", "port": 0, "operations": operations}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession() as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                literals = ", ".join(f"{name}: {orjson.dumps(value).decode()}" for name, value in arguments.items())
                query = f"mutation {{ {operation}{f'({literals})' if literals else ''} }}"
                async with session.post(url, json={"query": query}) as response:
                    return orjson.loads(await self.read(response))["data"][operation]

            yield call
