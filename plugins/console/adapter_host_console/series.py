"""Counts and durations of calls, in total and over time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final, Generic, TypeVar

BUCKET_SECONDS: Final = 5
MAX_BUCKETS: Final = 60

MAX_DURATIONS: Final = 1000
"""Durations of a bucket, or of an operation, of which percentiles are computed: the latest."""


@dataclass(slots=True)
class Totals:
    """Calls of a period, of an operation, or of an API."""

    calls: int = 0
    errors: int = 0
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DURATIONS))

    def add(self, duration: float, *, failed: bool) -> None:
        """Count a call, with its duration in seconds."""
        self.calls += 1
        self.errors += failed
        self.durations.append(duration)

    def summary(self) -> dict[str, Any]:
        """Return the totals, with percentiles in milliseconds."""
        ordered = sorted(self.durations)
        return {
            "calls": self.calls,
            "errors": self.errors,
            "p50_ms": _percentile(ordered, 0.5),
            "p95_ms": _percentile(ordered, 0.95),
            "p99_ms": _percentile(ordered, 0.99),
        }


TotalsT = TypeVar("TotalsT", bound=Totals)


class Series(Generic[TotalsT]):
    """The totals of the latest periods; `now` returns the time in seconds since 1970."""

    def __init__(self, make: Callable[[], TotalsT], now: Callable[[], float]) -> None:
        self._make = make
        self._now = now
        self._buckets: deque[tuple[int, TotalsT]] = deque(maxlen=MAX_BUCKETS)

    def current(self) -> TotalsT:
        """Return the totals of the period now, to add to."""
        number = int(self._now()) // BUCKET_SECONDS
        if not self._buckets or self._buckets[-1][0] != number:
            self._buckets.append((number, self._make()))
        return self._buckets[-1][1]

    def summaries(self) -> list[dict[str, Any]]:
        """Return all periods up to now, also those without calls."""
        last = int(self._now()) // BUCKET_SECONDS
        by_number = dict(self._buckets)
        empty = self._make()
        return [
            {"time": number * BUCKET_SECONDS, **by_number.get(number, empty).summary()}
            for number in range(last - MAX_BUCKETS + 1, last + 1)
        ]


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of values is (nearest rank), in milliseconds."""
    if not ordered:
        return None
    return round(ordered[ceil(share * len(ordered)) - 1] * 1000, 3)
