"""The entries of the catalogs of exposers, and examples of their use."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from adapter_host.errors import PluginError
from adapter_host.plugin.exposer import CatalogEntry, Exposer
from adapter_host.plugin.loading.origins import MisuseError, named_adapter
from adapter_host.plugin.loading.registry import describe

_log = logging.getLogger("adapter_host")


def catalog_of(exposer: Exposer[Any]) -> list[CatalogEntry]:
    """Return the entries of an exposer's catalog; raise `PluginError` that names the exposer."""
    with named_adapter(type(exposer), f"catalog of '{exposer.config.namespace}'"):
        entries: Any = exposer.catalog()
        if not isinstance(entries, Iterable):
            raise MisuseError(f"it returned {describe(entries)}; return a list of CatalogEntry")
        listed = list(entries)
        for entry in listed:
            if not isinstance(entry, CatalogEntry):
                raise MisuseError(f"it returned {describe(entry)} among its entries; return CatalogEntry objects")
        return listed


def safe_catalog(exposer: Exposer[Any]) -> list[CatalogEntry] | None:
    """Return the entries of an exposer's catalog, or None with a line in the log: serving does not need them."""
    try:
        return catalog_of(exposer)
    except PluginError as error:
        _log.warning("%s", error)
        return None


def safe_usage(exposer: Exposer[Any], url: str) -> str | None:
    """Return an example of an exposer's use, or None with a line in the log: serving does not need it."""
    try:
        with named_adapter(type(exposer), f"usage of '{exposer.config.namespace}'"):
            usage: Any = exposer.usage(url)
            if usage is not None and not isinstance(usage, str):
                raise MisuseError(f"it returned {describe(usage)}; return a text, or None")
            return usage
    except PluginError as error:
        _log.warning("%s", error)
        return None
