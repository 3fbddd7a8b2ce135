"""Classifies errors as outages and transient errors, and reads Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from adapter_host import (
    Result,
    UpstreamDisconnectedError,
    UpstreamIncompleteError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

_OUTAGES: Final = (
    UpstreamDisconnectedError,
    UpstreamIncompleteError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
_OUTAGE_STATUSES: Final = frozenset({502, 503, 504})
_TOO_MANY_REQUESTS: Final = 429


def is_outage(error: BaseException) -> bool:
    """Return whether the API did not respond, or not completely, or a gateway responded for it."""
    if isinstance(error, UpstreamStatusError):
        return error.upstream_status in _OUTAGE_STATUSES
    return isinstance(error, _OUTAGES)


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed later."""
    return is_outage(error) or (isinstance(error, UpstreamStatusError) and error.upstream_status == _TOO_MANY_REQUESTS)


def retry_after(error: BaseException | None) -> float | None:
    """Return the seconds of Retry-After, which has seconds or a date (RFC 9110, 10.2.3); None without it."""
    text = _header(error).strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _header(error: BaseException | None) -> str:
    if not isinstance(error, UpstreamStatusError):
        return ""
    return next((value for name, value in error.headers.items() if name.lower() == "retry-after"), "")


def is_outage_result(result: Result) -> bool:
    """Return whether an unchanged response has the status of an outage."""
    return result.status in _OUTAGE_STATUSES


def error_from_result(result: Result) -> UpstreamStatusError | None:
    """Return the error for a result with an error status; None for successes and for streams."""
    if result.status < 300 or result.stream is not None:
        return None
    return UpstreamStatusError(result.status, result.body, result.media_type, result.headers)
