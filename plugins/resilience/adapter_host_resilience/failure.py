"""Which errors mean that an API is not there just now, and when it wants to be called again."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from adapter_host import Result, UpstreamStatusError, UpstreamTimeoutError, UpstreamUnreachableError

_OUTAGE_STATUSES: Final = frozenset({502, 503, 504})
_TOO_MANY_REQUESTS: Final = 429


def is_outage(error: BaseException) -> bool:
    """Whether the API did not answer, or something before it did in its place."""
    if isinstance(error, UpstreamStatusError):
        return error.upstream_status in _OUTAGE_STATUSES
    return isinstance(error, UpstreamUnreachableError | UpstreamTimeoutError)


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a little later."""
    return is_outage(error) or (isinstance(error, UpstreamStatusError) and error.upstream_status == _TOO_MANY_REQUESTS)


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that the API asks to wait (Retry-After, as seconds or as a date); None when it does not say."""
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
    """Whether an answer that is passed on as it comes says so."""
    return result.status in _OUTAGE_STATUSES


def error_from_result(result: Result) -> UpstreamStatusError | None:
    """The error that an answer is which a consumer gave instead of raising it; none that is passed on as it comes."""
    if result.status < 300 or result.stream is not None:
        return None
    return UpstreamStatusError(result.status, result.body, result.media_type, result.headers)
