"""Plan the listeners of a set of plans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from adapter_host.compiler.plan import Plan
from adapter_host.settings import Settings

from .listener import Key, Listener
from .mounts import mounts, set_prefixes

_ADDRESSES: Final = {"localhost": "127.0.0.1", "[::]": "::", "[::1]": "::1"}
"""Addresses in the form of sockets, so that exposers share a listener however they write the address."""


def plan_listeners(plans: Iterable[Plan], settings: Settings) -> list[Listener]:
    """Return the listeners of plans; exposers with the same address and port share one, below their namespaces."""
    listeners: dict[Key, Listener] = {}
    for mount in mounts(plans):
        config = mount.exposer.config
        address = _ADDRESSES.get(settings.address or config.address, settings.address or config.address)
        port = settings.ports.get(config.namespace, config.port)
        # Exposers on free ports (0) do not share a listener, and keep their ports across reloads.
        key = (address, port or f"{mount.plan.loaded.source.file} {config.namespace}")
        while not port and key in listeners:
            key = (address, f"{key[1]} again")
        listeners.setdefault(key, Listener(key, address, port)).mounts.append(mount)
    for listener in listeners.values():
        if len(listener.mounts) > 1:
            set_prefixes(listener.mounts)
    return list(listeners.values())
