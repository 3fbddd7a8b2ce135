"""The health of consumed APIs: requests, failures and durations over time, and states such as that of a breaker."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from adapter_host import (
    AdapterState,
    ArgumentError,
    Arguments,
    ConsumedCall,
    LoadedCapability,
    Plan,
    Result,
    UpstreamStatusError,
)

from .series import BUCKET_SECONDS, Series, Totals

MAX_APIS: Final = 200
"""APIs whose requests are counted; requests to further ones are not."""


@dataclass(slots=True)
class _Requests(Totals):
    """Requests to an API: `errors` had no response or one with 5xx, `rejected` had 4xx, and others were cancelled."""

    rejected: int = 0
    cancelled: int = 0

    def add_status(self, duration: float, status: int | None) -> None:
        """Count a request by the status of its response, None without one."""
        self.add(duration, failed=status is None or status >= 500)
        self.rejected += status is not None and 400 <= status < 500

    def add_cancelled(self, duration: float) -> None:
        """Count a request whose caller has not waited for the response, or whose deadline was over."""
        self.add(duration, failed=False)
        self.cancelled += 1

    def summary(self) -> dict[str, Any]:
        """Return the totals."""
        return {**Totals.summary(self), "rejected": self.rejected, "cancelled": self.cancelled}


class UpstreamLog:
    """The requests to all consumed APIs of a host; it outlives reloads."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._apis: dict[tuple[str, str, str], Series[_Requests]] = {}

    def wrap(self, loaded: LoadedCapability, namespace: str, call: ConsumedCall) -> ConsumedCall:
        """Return a call of an API of a document that is counted."""
        key = _key(loaded, namespace)
        if key not in self._apis and len(self._apis) >= MAX_APIS:
            return call
        series = self._apis.setdefault(key, Series(_Requests, self._now))

        async def counted(arguments: Arguments, *, stream: bool = False) -> Result:
            started = perf_counter()
            try:
                result = await call(arguments, stream=stream)
            except UpstreamStatusError as error:
                series.current().add_status(perf_counter() - started, error.upstream_status)
                raise
            except ArgumentError:
                # Nothing was sent.
                raise
            except CancelledError:
                series.current().add_cancelled(perf_counter() - started)
                raise
            except Exception:
                series.current().add_status(perf_counter() - started, None)
                raise
            series.current().add_status(perf_counter() - started, result.status)
            return result

        return counted

    def health(self, plans: Iterable[Plan]) -> dict[str, Any]:
        """Return the consumed APIs of plans, each with its periods and its states."""
        apis = [
            {
                "capability": plan.loaded.capability.label,
                "namespace": consumer.config.namespace,
                "type": consumer.config.type,
                "states": [_read(state) for state in consumer.context.states],
                "buckets": self._buckets(_key(plan.loaded, consumer.config.namespace)),
            }
            for plan in plans
            for consumer in plan.consumers
        ]
        return {"bucket_seconds": BUCKET_SECONDS, "apis": apis}

    def _buckets(self, key: tuple[str, str, str]) -> list[dict[str, Any]]:
        series = self._apis.get(key)
        return [] if series is None else series.summaries()


def _key(loaded: LoadedCapability, namespace: str) -> tuple[str, str, str]:
    return loaded.source.file, loaded.capability.label, namespace


def _read(state: AdapterState) -> dict[str, Any]:
    text, healthy = state.read()
    return {"name": state.name, "text": text, "healthy": healthy}
