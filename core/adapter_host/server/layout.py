"""Which listeners a set of plans needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from adapter_host.compiler.plan import Plan
from adapter_host.settings import Settings

from .listener import Key, Listener
from .mounts import mounts, set_prefixes

_ADDRESSES: Final = {"localhost": "127.0.0.1", "[::]": "::", "[::1]": "::1"}
"""Addresses as a socket takes them: exposers that say one in two ways share it."""


def plan_listeners(plans: Iterable[Plan], settings: Settings) -> list[Listener]:
    """Return the listeners that plans need; exposers of one address and port share one, each below its namespace."""
    listeners: dict[Key, Listener] = {}
    for mount in mounts(plans):
        config = mount.exposer.config
        address = _ADDRESSES.get(settings.address or config.address, settings.address or config.address)
        port = settings.ports.get(config.namespace, config.port)
        # Two exposers that take any free port do not share one, and keep theirs across reloads.
        key = (address, port or f"{mount.plan.loaded.source.file} {config.namespace}")
        while not port and key in listeners:
            key = (address, f"{key[1]} again")
        listeners.setdefault(key, Listener(key, address, port)).mounts.append(mount)
    for listener in listeners.values():
        if len(listener.mounts) > 1:
            set_prefixes(listener.mounts)
    return list(listeners.values())
