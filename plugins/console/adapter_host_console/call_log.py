"""The latest calls, and their rates, errors and durations over time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from adapter_host import CallRecord

MAX_RECORDS: Final = 2000
"""Records that are kept; the oldest are dropped."""

BUCKET_SECONDS: Final = 5
MAX_BUCKETS: Final = 60

MAX_DURATIONS: Final = 1000
"""Durations of a bucket, or of an operation, of which percentiles are computed: the latest."""

MAX_OPERATIONS: Final = 1000
"""Operations whose calls are counted; calls of further ones are only listed."""


@dataclass(slots=True)
class _Totals:
    """Calls of a period, or of an operation."""

    calls: int = 0
    errors: int = 0
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DURATIONS))

    def add(self, duration: float, *, failed: bool) -> None:
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


class CallLog:
    """The latest records; `now` returns the time in seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._records: deque[tuple[int, Mapping[str, Any]]] = deque(maxlen=MAX_RECORDS)
        self._count = 0
        self._buckets: deque[tuple[int, _Totals]] = deque(maxlen=MAX_BUCKETS)
        self._operations: dict[tuple[str, str], _Totals] = {}

    def record(self, record: CallRecord) -> None:
        """Keep a record."""
        now = self._now()
        failed = is_failure(record)
        self._count += 1
        self._records.append((self._count, _describe(record, now, failed=failed)))
        number = int(now) // BUCKET_SECONDS
        if not self._buckets or self._buckets[-1][0] != number:
            self._buckets.append((number, _Totals()))
        self._buckets[-1][1].add(record.duration, failed=failed)
        key = (record.site.exposer or "", record.operation or "")
        if record.operation and (key in self._operations or len(self._operations) < MAX_OPERATIONS):
            self._operations.setdefault(key, _Totals()).add(record.duration, failed=failed)

    def after(self, number: int) -> dict[str, Any]:
        """Return the records after one, with the totals of periods and of operations."""
        records = [{"number": each, **record} for each, record in self._records if each > number]
        return {
            "last": self._count,
            "kept": MAX_RECORDS,
            "records": records,
            "bucket_seconds": BUCKET_SECONDS,
            "buckets": self._series(),
            "operations": self._by_operation(),
        }

    def _series(self) -> list[dict[str, Any]]:
        """Return all periods up to now, also those without calls."""
        last = int(self._now()) // BUCKET_SECONDS
        by_number = dict(self._buckets)
        empty = _Totals()
        return [
            {"time": number * BUCKET_SECONDS, **by_number.get(number, empty).summary()}
            for number in range(last - MAX_BUCKETS + 1, last + 1)
        ]

    def _by_operation(self) -> list[dict[str, Any]]:
        rows = [
            {"exposer": exposer, "operation": operation, **totals.summary()}
            for (exposer, operation), totals in self._operations.items()
        ]
        return sorted(rows, key=lambda row: (-row["errors"], -row["calls"], row["operation"]))[:100]


def is_failure(record: CallRecord) -> bool:
    """Return whether a call has failed, for its client."""
    return record.error is not None or (isinstance(record.status, int) and record.status >= 400)


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of values is (nearest rank), in milliseconds."""
    if not ordered:
        return None
    return round(ordered[ceil(share * len(ordered)) - 1] * 1000, 3)


def _describe(record: CallRecord, now: float, *, failed: bool) -> dict[str, Any]:
    """Return the fields of the access log."""
    site = record.site
    status = record.status if record.status is not None else "ok" if record.error is None else "error"
    return {
        "time": now,
        "request_id": record.request_id,
        "capability": site.capability,
        "exposer": site.exposer,
        "exposer_type": site.exposer_type,
        "transport": record.transport,
        "method": record.method,
        "path": record.path,
        "message": record.message,
        "operation": record.operation,
        "status": status,
        "failed": failed,
        "error": record.error,
        "duration_ms": round(record.duration * 1000, 3),
        "upstream_status": record.upstream_status,
        "upstream_ms": round(record.upstream_duration * 1000, 3) if record.upstream_calls else None,
        "upstream_calls": record.upstream_calls,
        "bytes": record.size,
        "authentication": record.authentication,
        "client": record.client_address,
    }
