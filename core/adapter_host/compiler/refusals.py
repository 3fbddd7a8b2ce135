"""The observers of requests that an access check refuses: those of plugins, and the access log."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from adapter_host.operation.call_record import CallRecord
from adapter_host.operation.callers import CallSite
from adapter_host.plugin.access import ObserveRefusal, RefusedRequest

from .call_records import AccessLog

_log = logging.getLogger("adapter_host")


def join_observers(observers: Sequence[ObserveRefusal]) -> ObserveRefusal | None:
    """Return a function that calls all observers, or None without any; an error of one is logged."""
    if not observers:
        return None

    def observe(refused: RefusedRequest) -> None:
        for each in observers:
            try:
                each(refused)
            except Exception:  # the request is refused in any case
                _log.exception("a plugin failed to observe a refused request")

    return observe


def record_refusals(site: CallSite, write: AccessLog) -> ObserveRefusal:
    """Return a function that writes the refused requests of an own listener to the access log."""

    def observe(refused: RefusedRequest) -> None:
        record = CallRecord.of(site, refused.call)
        record.status, record.path = refused.refusal.status, refused.path
        write(record)

    return observe
