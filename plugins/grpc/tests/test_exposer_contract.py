"""GrpcExposer fulfils the contract of exposers, with grpcio as the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

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
from adapter_host.testing import ExposerContract

from .conftest import ReflectedService, channel_to

CODES: Mapping[type[Exception], str] = {
    OperationError: "INTERNAL",
    ArgumentError: "INVALID_ARGUMENT",
    BodyTooLargeError: "RESOURCE_EXHAUSTED",
    RefusedError: "PERMISSION_DENIED",
    ApprovalError: "PERMISSION_DENIED",
    ApprovalRequiredError: "PERMISSION_DENIED",
    NotFoundError: "NOT_FOUND",
    InternalError: "INTERNAL",
    UnavailableError: "UNAVAILABLE",
    StoreUnavailableError: "UNAVAILABLE",
    UpstreamError: "UNKNOWN",
    UpstreamUnreachableError: "UNAVAILABLE",
    UpstreamDisconnectedError: "UNKNOWN",
    UpstreamIncompleteError: "UNKNOWN",
    UpstreamInvalidError: "UNKNOWN",
    UpstreamTimeoutError: "DEADLINE_EXCEEDED",
    # The API returned 418.
    UpstreamStatusError: "FAILED_PRECONDITION",
}

STATUS_CODES = {409: "ABORTED", 422: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED"}


class TestContract(ExposerContract):
    """The contract of exposers."""

    # Unknown fields are those of another version of the service (protobuf, "Unknown Fields").
    ignores_unknown = True

    def kind_of(self, error: Exception) -> object:
        """Return the name of the status code."""
        return (
            "INTERNAL"
            if not isinstance(error, OperationError)
            else CODES.get(type(error)) or STATUS_CODES[error.status]
        )

    def place_of(self, error: ArgumentError) -> object:
        """Return the path of a field, as in `BadRequest`."""
        return {None: error.parameter, "/items/0/id": f"{error.parameter}.items[0].id"}[error.pointer]

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "grpc", "namespace": "front", "port": 0, "operations": list(operations)}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with channel_to(url) as channel:
            known: list[ReflectedService] = []

            async def call(name: str, arguments: Mapping[str, Any]) -> Any:
                # Reflection is a call too, which may be refused.
                if not known:
                    known.append(await ReflectedService.connect(channel))
                return whole_numbers(await known[0].call(name, arguments))

            yield call


def whole_numbers(value: Any) -> Any:
    """Return a result with whole doubles as integers: a `Value` has no others."""
    if isinstance(value, dict):
        return {name: whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
