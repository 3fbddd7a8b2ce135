"""Status codes of gRPC, and the errors of calls as statuses with details (`google.rpc.Status`)."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final
from urllib.parse import quote

from adapter_host import (
    ApprovalRequiredError,
    ArgumentError,
    BodyTooLargeError,
    InternalError,
    NotFoundError,
    OperationError,
    RefusedError,
    UnavailableError,
    UpstreamError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    decode_text,
    error_details,
)
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

DOMAIN: Final = "adapter-host"

MAX_MESSAGE: Final = 1024
"""Bytes of the message of a status, and twice as many as it is sent; clients accept 8 KiB of trailers in all."""

MAX_BODY: Final = 1024
"""Bytes of an upstream's body in the details."""

_MAX_DETAIL: Final = 200
_METADATA: Final = ("step", "sent", "status", "upstream_status")
"""The details of an error that are metadata; the others have messages of their own."""
_MAX_VIOLATIONS: Final = 2000
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class Code(IntEnum):
    """The status codes (gRPC, "Status codes and their use")."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_BY_CLASS: Final = (
    (BodyTooLargeError, Code.RESOURCE_EXHAUSTED),
    (ArgumentError, Code.INVALID_ARGUMENT),
    (RefusedError, Code.PERMISSION_DENIED),
    (NotFoundError, Code.NOT_FOUND),
    (UnavailableError, Code.UNAVAILABLE),
    (UpstreamUnreachableError, Code.UNAVAILABLE),
    (UpstreamTimeoutError, Code.DEADLINE_EXCEEDED),
    # The API may have carried out the call, so no client may repeat it by itself as with UNAVAILABLE.
    (UpstreamError, Code.UNKNOWN),
    (OperationError, Code.INTERNAL),
)

_BY_STATUS: Final = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    408: Code.DEADLINE_EXCEEDED,
    409: Code.ABORTED,
    410: Code.NOT_FOUND,
    412: Code.FAILED_PRECONDITION,
    413: Code.RESOURCE_EXHAUSTED,
    416: Code.OUT_OF_RANGE,
    422: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELLED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}


def code_of_status(status: int) -> Code:
    """Return the code for a status of HTTP, as `google.rpc.Code` relates them."""
    return _BY_STATUS.get(status, Code.FAILED_PRECONDITION if 400 <= status < 500 else Code.UNKNOWN)


def code_of(error: OperationError) -> Code:
    """Return the code for the error of a call: that of its class, or of a status that only a plugin's class has."""
    if isinstance(error, UpstreamStatusError):
        return code_of_status(error.upstream_status)
    kind, code = next(each for each in _BY_CLASS if isinstance(error, each[0]))
    return code if error.status == kind.status else _BY_STATUS.get(error.status, code)


def trailers(code: Code, message: str = "", details: bytes = b"") -> list[tuple[str, str]]:
    """Return the trailers of a response (gRPC over HTTP/2, "Responses")."""
    fields = [("grpc-status", str(int(code)))]
    if message:
        fields.append(("grpc-message", _quoted(_shortened(message, MAX_MESSAGE))))
    if details:
        fields.append(("grpc-status-details-bin", base64.b64encode(details).rstrip(b"=").decode()))
    return fields


def error_trailers(error: OperationError, request_id: str) -> list[tuple[str, str]]:
    """Return the trailers for the error of a call, with details."""
    code = code_of(error)
    status = Status(code=int(code), message=_shortened(error.message, _MAX_DETAIL))
    if isinstance(error, ArgumentError):
        status.details.add().Pack(_bad_request(error))
    details = error_details(error)
    if "retry_after" in details:
        status.details.add().Pack(retry_info(details["retry_after"]))
    status.details.add().Pack(_error_info(error, details, request_id))
    return trailers(code, error.message, status.SerializeToString())


def _quoted(text: str) -> str:
    quoted = quote(text, safe=_PRINTABLE)
    return quoted if len(quoted) <= 2 * MAX_MESSAGE else quoted[: 2 * MAX_MESSAGE].rpartition("%")[0]


def retry_info(seconds: float) -> RetryInfo:
    """Return the details that say when another call may succeed."""
    info = RetryInfo()
    info.retry_delay.FromSeconds(math.ceil(seconds))
    return info


def _bad_request(error: ArgumentError) -> BadRequest:
    request = BadRequest()
    for each in error.errors:
        field, text = _shortened(field_path(each), _MAX_DETAIL), _shortened(each.message, _MAX_DETAIL)
        violation = BadRequest.FieldViolation(field=field, description=text)
        if request.ByteSize() + violation.ByteSize() < _MAX_VIOLATIONS:
            request.field_violations.append(violation)
    return request


def field_path(error: ArgumentError) -> str:
    """Return the place of an error as a path of JSON names, such as `order.items[0].id`."""
    pointer = [part.replace("~1", "/").replace("~0", "~") for part in (error.pointer or "").split("/")[1:]]
    keys = pointer if pointer[:1] == [error.parameter] else [error.parameter, *pointer]
    return "".join(f"[{key}]" if index and key.isdigit() else f".{key}" for index, key in enumerate(keys))[1:]


def violation_details(field: str, message: str) -> bytes:
    """Return the details of a status for one invalid field."""
    status = Status(code=int(Code.INVALID_ARGUMENT), message=_shortened(message, MAX_MESSAGE))
    violation = BadRequest.FieldViolation(field=_shortened(field, _MAX_DETAIL), description=status.message)
    status.details.add().Pack(BadRequest(field_violations=[violation]))
    details: bytes = status.SerializeToString()
    return details


def internal_trailers(request_id: str) -> list[tuple[str, str]]:
    """Return the trailers for an exception of a plugin, whose details are only in the log."""
    return error_trailers(InternalError("unexpected error"), request_id)


def _error_info(error: OperationError, details: Mapping[str, Any], request_id: str) -> ErrorInfo:
    name = details["type"].removesuffix("Error")
    info = ErrorInfo(reason=re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(), domain=DOMAIN)
    info.metadata["request_id"] = request_id
    for key in _METADATA:
        if key in details:
            value = details[key]
            info.metadata[key] = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(error, ApprovalRequiredError) and error.url is not None:
        info.metadata["approval_url"] = error.url
    if isinstance(error, UpstreamStatusError) and (body := _text(error)):
        info.metadata["upstream_body"] = body
    return info


def _text(error: UpstreamStatusError) -> str:
    text = decode_text(error.body[:MAX_BODY], error.media_type, "replace")
    return "" if "\0" in text else text


def _shortened(text: str, size: int) -> str:
    """Return a text of at most so many bytes."""
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= size else f"{encoded[: size - 3].decode(errors='ignore')}…"
