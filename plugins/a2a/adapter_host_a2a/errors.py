"""The errors of the protocol, with their codes in both bindings (A2A 1.0, section 5.4)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from pydantic import ValidationError

_ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_BAD_REQUEST: Final = "type.googleapis.com/google.rpc.BadRequest"
_DOMAIN: Final = "a2a-protocol.org"


class ProtocolError(Exception):
    """A request that is rejected: `code` is that of JSON-RPC, `grpc_status` and `status` those of HTTP+JSON."""

    code: ClassVar[int]
    status: ClassVar[int] = 400
    grpc_status: ClassVar[str] = "FAILED_PRECONDITION"
    reason: ClassVar[str | None] = None

    def __init__(self, message: str, **metadata: str) -> None:
        self.message = message
        self.metadata = metadata
        super().__init__(message)

    @property
    def details(self) -> list[dict[str, Any]]:
        """The structured details of the error."""
        if self.reason is None:
            return []
        info = {"@type": _ERROR_INFO, "reason": self.reason, "domain": _DOMAIN}
        return [{**info, "metadata": self.metadata} if self.metadata else info]


class JsonParseError(ProtocolError):
    """The body is not JSON."""

    code = -32700
    grpc_status = "INVALID_ARGUMENT"


class InvalidRequestError(ProtocolError):
    """The body is not a request."""

    code = -32600
    grpc_status = "INVALID_ARGUMENT"


class MethodNotFoundError(ProtocolError):
    """There is no such method."""

    code = -32601
    status = 404
    grpc_status = "UNIMPLEMENTED"


class InvalidParamsError(ProtocolError):
    """The parameters are invalid; `violations` are pairs of a field and a description."""

    code = -32602
    grpc_status = "INVALID_ARGUMENT"

    def __init__(self, message: str, violations: list[tuple[str, str]]) -> None:
        self.violations = violations
        super().__init__(message)

    @classmethod
    def of(cls, field: str, description: str) -> InvalidParamsError:
        """Return the error of one field."""
        return cls(f"{field}: {description}", [(field, description)])

    @classmethod
    def from_validation(cls, error: ValidationError) -> InvalidParamsError:
        """Return the error of each invalid field."""
        found = [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors(include_url=False)][:10]
        return cls("; ".join(f"{field}: {description}" for field, description in found), found)

    @property
    def details(self) -> list[dict[str, Any]]:
        """The invalid fields."""
        violations = [{"field": field, "description": description} for field, description in self.violations]
        return [{"@type": _BAD_REQUEST, "fieldViolations": violations}]


class InternalProtocolError(ProtocolError):
    """An error of the host; details are only in the log."""

    code = -32603
    status = 500
    grpc_status = "INTERNAL"


class TooManyTasksError(ProtocolError):
    """All tasks that can be kept are in progress."""

    code = -32000
    status = 503
    grpc_status = "UNAVAILABLE"


class TaskNotFoundError(ProtocolError):
    """There is no such task, or not for this caller."""

    code = -32001
    status = 404
    grpc_status = "NOT_FOUND"
    reason = "TASK_NOT_FOUND"


class TaskNotCancelableError(ProtocolError):
    """The task has ended."""

    code = -32002
    reason = "TASK_NOT_CANCELABLE"


class PushNotificationNotSupportedError(ProtocolError):
    """The agent sends no push notifications."""

    code = -32003
    reason = "PUSH_NOTIFICATION_NOT_SUPPORTED"


class UnsupportedOperationError(ProtocolError):
    """The request is not supported, or not in the state of the task."""

    code = -32004
    reason = "UNSUPPORTED_OPERATION"


class ContentTypeNotSupportedError(ProtocolError):
    """A part of a message has an unsupported content."""

    code = -32005
    grpc_status = "INVALID_ARGUMENT"
    reason = "CONTENT_TYPE_NOT_SUPPORTED"


class VersionNotSupportedError(ProtocolError):
    """The request is of another version of the protocol."""

    code = -32009
    reason = "VERSION_NOT_SUPPORTED"
