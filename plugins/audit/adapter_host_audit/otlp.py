"""Records as log records over OTLP, in batches: a queue of them waits while the collector is away."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapter_host import DaemonThreads, encode_json

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import ReadableLogRecord

_LOG: Final = logging.getLogger("adapter_host.audit")

MAX_QUEUED: Final = 10_000
"""Records that wait for the collector."""

MAX_BYTES: Final = 32 * 1024 * 1024
"""Bytes of JSON of the records that wait for the collector."""

BATCH: Final = 500

EXPORT_TIMEOUT: Final = 5.0
"""Seconds of one export with its repetitions, and of the last ones on stop together."""

FIRST_PAUSE: Final = 0.5
MAX_PAUSE: Final = 30.0
"""Seconds after a failed export; they double with each one."""


@dataclass(frozen=True, slots=True)
class _Queued:
    size: int
    log_record: ReadableLogRecord


class OtlpSink:
    """Sends records to a collector, in their order; those that it does not accept are sent again until it does.

    A record without room is lost. The log of the host has the number of lost ones, and the collector receives it when
    there is room again.
    """

    def __init__(self, endpoint: str, max_queued: int = MAX_QUEUED, max_bytes: int = MAX_BYTES) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._max_queued = max_queued
        self._max_bytes = max_bytes
        self._queue: deque[_Queued] = deque()
        self._bytes = 0
        self._lost = 0
        self._failing = False
        self._filled, self._closing = asyncio.Event(), asyncio.Event()
        self._threads = DaemonThreads(1)
        self._task: asyncio.Task[None] | None = None
        self._exporter: OTLPLogExporter | None = None
        self._convert: Callable[[Mapping[str, Any], str], ReadableLogRecord] | None = None

    def open(self) -> None:
        """Start to export; an unreachable collector is no error."""
        if self._task is not None:
            return
        # Imported here because the packages are optional.
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

        from .log_records import log_record

        self._convert = log_record
        self._exporter = OTLPLogExporter(f"{self._endpoint}/v1/logs", timeout=EXPORT_TIMEOUT)
        self._filled, self._closing = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._export_until_closed(self._exporter))

    async def close(self) -> None:
        """Export the records that are left, for a few seconds; the log has the number of records that were not."""
        task, self._task = self._task, None
        exporter, self._exporter = self._exporter, None
        if task is None or exporter is None:
            return
        self._closing.set()
        self._filled.set()
        # A collector may prolong an export beyond its timeout, byte by byte.
        await asyncio.wait([task], timeout=EXPORT_TIMEOUT + 1)
        if task.done():
            task.result()
        else:
            task.cancel()
        if left := len(self._queue) + self._lost:
            _LOG.error("%d audit records were not sent to the collector", left)
        self._queue.clear()
        self._bytes = self._lost = 0
        exporter.shutdown()  # type: ignore[no-untyped-call] # It has no annotations.

    def is_available(self) -> bool:
        """Return whether there is room for a record."""
        return len(self._queue) < self._max_queued and self._bytes < self._max_bytes

    def write(self, record: Mapping[str, Any]) -> bool:
        """Queue a record; return False if there is no room for it."""
        text = encode_json(record)
        if self._convert is None or not self.is_available():
            if not self._lost:
                _LOG.error("the audit log cannot be sent: too many records wait for the collector")
            self._lost += 1
            return False
        if self._lost:
            self._report_lost()
        self._add(len(text), self._convert(record, text.decode()))
        return True

    def _report_lost(self) -> None:
        _LOG.warning("the audit log is sent again; %d records were lost", self._lost)
        from .log_records import lost_record

        lost, self._lost = lost_record(self._lost), 0
        self._add(0, lost)

    def _add(self, size: int, log_record: ReadableLogRecord) -> None:
        self._queue.append(_Queued(size, log_record))
        self._bytes += size
        self._filled.set()

    async def _export_until_closed(self, exporter: OTLPLogExporter) -> None:
        pause = FIRST_PAUSE
        while True:
            await self._filled.wait()
            if not self._queue:
                return
            if await self._export(exporter):
                pause = FIRST_PAUSE
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
                return
            pause = min(MAX_PAUSE, pause * 2)

    async def _export(self, exporter: OTLPLogExporter) -> bool:
        """Export the oldest records; return whether the collector has accepted them."""
        batch = [self._queue[index] for index in range(min(BATCH, len(self._queue)))]
        try:
            result = await self._threads.run(exporter.export, [queued.log_record for queued in batch])
            succeeded = result.name == "SUCCESS"
        except Exception:  # a failure of the exporter must not end the exports
            _LOG.exception("the exporter of the audit log failed")
            succeeded = False
        if succeeded == self._failing:
            log = _LOG.warning if succeeded else _LOG.error
            log("the collector of the audit log %s", "accepts records again" if succeeded else "accepts no records")
        self._failing = not succeeded
        if succeeded:
            for queued in batch:
                self._queue.popleft()
                self._bytes -= queued.size
            if not self._queue and not self._closing.is_set():
                self._filled.clear()
        return succeeded
