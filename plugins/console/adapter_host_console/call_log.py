"""The latest calls, and their rates, errors and durations over time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter_host import CallRecord

from .series import BUCKET_SECONDS, Series, Totals

MAX_RECORDS: Final = 2000
"""Records that are kept; the oldest are dropped."""

MAX_OPERATIONS: Final = 1000
"""Operations whose calls are counted; calls of further ones are only listed."""


class CallLog:
    """The latest records; `now` returns the time in seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._records: deque[tuple[int, Mapping[str, Any]]] = deque(maxlen=MAX_RECORDS)
        self._count = 0
        self._series = Series(Totals, now)
        self._operations: dict[tuple[str, str], Totals] = {}

    def record(self, record: CallRecord) -> None:
        """Keep a record."""
        now = self._now()
        failed = is_failure(record)
        self._count += 1
        self._records.append((self._count, _describe(record, now, failed=failed)))
        self._series.current().add(record.duration, failed=failed)
        key = (record.site.exposer or "", record.operation or "")
        if record.operation and (key in self._operations or len(self._operations) < MAX_OPERATIONS):
            self._operations.setdefault(key, Totals()).add(record.duration, failed=failed)

    def after(self, number: int) -> dict[str, Any]:
        """Return the records after one, with the totals of periods and of operations."""
        records = [{"number": each, **record} for each, record in self._records if each > number]
        return {"last": self._count, "kept": MAX_RECORDS, "records": records, **self.summary()}

    def summary(self) -> dict[str, Any]:
        """Return the totals of periods and of operations."""
        return {
            "bucket_seconds": BUCKET_SECONDS,
            "buckets": self._series.summaries(),
            "operations": self._by_operation(),
        }

    def _by_operation(self) -> list[dict[str, Any]]:
        rows = [
            {"exposer": exposer, "operation": operation, **totals.summary()}
            for (exposer, operation), totals in self._operations.items()
        ]
        return sorted(rows, key=lambda row: (-row["errors"], -row["calls"], row["operation"]))[:100]


def is_failure(record: CallRecord) -> bool:
    """Return whether a call has failed, for its client."""
    return record.error is not None or (isinstance(record.status, int) and record.status >= 400)


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
