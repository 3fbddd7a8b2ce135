"""Functions of plugins that receive the record of each call, beside the access log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapter_host.operation.call_record import CallRecord
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.settings import Settings


def with_observers(host: Any, settings: Settings, plugins: Plugins) -> Settings:
    """Return the settings of a host with an `access_log` that also calls the functions of the hook `record_calls`."""
    observers: list[Callable[[CallRecord], None]] = plugins.call_hook("record_calls", host=host)
    if not observers:
        return settings
    writers = (*([settings.access_log] if settings.access_log is not None else []), *observers)
    if len(writers) == 1:
        return replace(settings, access_log=writers[0])

    def write(record: CallRecord) -> None:
        for each in writers:
            each(record)

    return replace(settings, access_log=write)
