"""Age and freshness of responses (RFC 9111, section 4.2), without heuristics. Times are seconds of the wall clock."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from multidict import MultiMapping

from .directives import Directives, seconds

_INVALID_DATE: Final = 0.0


def parse_date(text: str) -> float:
    """Return an HTTP date as seconds; an invalid one is in the past."""
    try:
        date = parsedate_to_datetime(text)
        return (date.replace(tzinfo=UTC) if date.tzinfo is None else date).timestamp()
    except (ValueError, OverflowError):
        return _INVALID_DATE


def initial_age(headers: MultiMapping[str], sent_at: float, received_at: float) -> float:
    """Return the age of a response when it was received (section 4.2.3)."""
    date = parse_date(headers["Date"]) if "Date" in headers else received_at
    apparent_age = max(0.0, received_at - date) if date != _INVALID_DATE else 0.0
    first = headers.get("Age", "").partition(",")[0].strip()
    age = seconds({"age": first}, "age") or 0.0
    return max(apparent_age, age + max(0.0, received_at - sent_at))


def lifetime(headers: MultiMapping[str], directives: Directives, received_at: float, *, shared: bool) -> float:
    """Return how long a response is fresh; `shared` caches follow `s-maxage` (section 4.2.1)."""
    for name in ("s-maxage", "max-age") if shared else ("max-age",):
        if (declared := seconds(directives, name)) is not None:
            return declared
    expires = headers.getall("Expires", ())
    if len(expires) != 1:
        return 0.0
    date = parse_date(headers["Date"]) if "Date" in headers else received_at
    return max(0.0, parse_date(expires[0]) - (date or received_at))


def forbids_stale(directives: Directives, *, shared: bool) -> bool:
    """Return whether a stale response must be validated before it is used (section 4.2.4)."""
    names = {"must-revalidate", "no-cache"} | ({"proxy-revalidate", "s-maxage"} if shared else set())
    return not names.isdisjoint(directives)


def permits_stale(request: Directives, age: float) -> bool:
    """Return whether a request accepts a stale response that the API allows."""
    most = seconds(request, "max-age")
    return not ("no-cache" in request or "min-fresh" in request or (most is not None and age > most))


def is_usable(directives: Directives, request: Directives, age: float, fresh_for: float, *, shared: bool) -> bool:
    """Return whether a response can be used without validation for a request with its own directives."""
    if "no-cache" in directives or "no-cache" in request:
        return False
    most = seconds(request, "max-age")
    if most is not None and age > most:
        return False
    if fresh_for > age + (seconds(request, "min-fresh") or 0.0):
        return True
    if "max-stale" not in request or "min-fresh" in request or forbids_stale(directives, shared=shared):
        return False
    return request["max-stale"] is None or age - fresh_for <= (seconds(request, "max-stale") or 0.0)
