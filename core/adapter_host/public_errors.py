"""The public data of the error of a call, for clients of any protocol."""

from __future__ import annotations

from typing import Any, Final

from .errors import (
    ApprovalRequiredError,
    ArgumentError,
    OperationError,
    UnavailableError,
    UpstreamError,
    UpstreamStatusError,
)

_PACKAGE: Final = __name__.rpartition(".")[0]
_MOST_DIGITS: Final = 9


def error_details(error: OperationError) -> dict[str, Any]:
    """Return plain data about an error, without its message and the body of an upstream's response.

    `type` is the name of the class of the core, and `status` that of HTTP where a plugin's class has another one than
    it. The others are present where they apply: `step`; `parameter`, `pointer` (the fragment of a URI) and `errors` of
    an argument, which are those of each place and have a `message`; `sent`; `upstream_status`; `retry_after` in
    seconds; and `approval` with `url` and `expires_in`.
    """
    core = core_error_class(error)
    details: dict[str, Any] = {"type": core.__name__}
    if error.status != core.status:
        details["status"] = error.status
    if error.step is not None:
        details["step"] = error.step
    if isinstance(error, ArgumentError):
        details |= _argument_details(error)
    if isinstance(error, UpstreamError) and error.sent is not None:
        details["sent"] = error.sent
    if isinstance(error, UpstreamStatusError):
        details["upstream_status"] = error.upstream_status
    if (seconds := _retry_after(error)) is not None:
        details["retry_after"] = seconds
    if isinstance(error, ApprovalRequiredError):
        url = {} if error.url is None else {"url": error.url}
        details["approval"] = {**url, "expires_in": round(error.expires_in)}
    return details


def core_error_class(error: OperationError) -> type[OperationError]:
    """Return the class of an error; for one of a plugin, the nearest class of the core."""
    bases = type(error).__mro__
    return next(base for base in bases if base.__module__.partition(".")[0] == _PACKAGE)


def _argument_details(error: ArgumentError) -> dict[str, Any]:
    details: dict[str, Any] = {"parameter": error.parameter}
    if error.pointer is not None:
        details["pointer"] = f"#{error.pointer}"
    if len(error.errors) > 1:
        details["errors"] = [{"message": each.message, **_argument_details(each)} for each in error.errors]
    return details


def _retry_after(error: OperationError) -> float | None:
    if isinstance(error, UnavailableError):
        return error.retry_after
    if isinstance(error, UpstreamStatusError):
        # A date would have to be compared with the clock of the upstream.
        seconds = error.headers.get("Retry-After", "")
        return int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) <= _MOST_DIGITS else None
    return None
