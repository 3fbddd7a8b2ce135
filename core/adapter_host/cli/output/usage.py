"""Examples of the use of exposers, for the start of `serve`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from adapter_host.host.combined import is_combined
from adapter_host.host.status import ExposerStatus

from .exposer_views import safe_usage


def usage_examples(statuses: Iterable[ExposerStatus]) -> Iterator[str]:
    """Yield an example for each type of exposers: for the first of the type, or the configuration for all of it.

    With an endpoint over all exposers, that is the one to configure.
    """
    by_type: dict[str, list[ExposerStatus]] = {}
    for status in statuses:
        # The examples are for clients that use a URL.
        if status.url and not status.url.startswith("http://unix:"):
            by_type.setdefault(status.type, []).append(status)
    for group in by_type.values():
        endpoint = [status for status in group if is_combined(status.exposer)]
        if example := _example(endpoint or group):
            yield example


def _example(group: Iterable[ExposerStatus]) -> str | None:
    """Return the first example, or all of them as one JSON object if they are objects: entries of a configuration."""
    merged: dict[str, Any] = {}
    for status in group:
        usage = safe_usage(status.exposer, status.url or "")
        if usage is None:
            continue
        entries = _read_object(usage)
        if entries is None:
            return usage
        _merge(merged, entries)
    return orjson.dumps(merged, option=orjson.OPT_INDENT_2).decode() if merged else None


def _read_object(text: str) -> dict[str, Any] | None:
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return data if isinstance(data, dict) else None


def _merge(merged: dict[str, Any], entries: dict[str, Any]) -> None:
    for key, value in entries.items():
        known = merged.setdefault(key, value)
        if known is not value and isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
