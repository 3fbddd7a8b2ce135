"""Plan the listeners of a set of plans."""

from __future__ import annotations

from collections.abc import Iterable

from adapter_host.compiler.plan import Plan
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.settings import Settings

from .addresses import place
from .listener import Key, Listener
from .mounts import ExposerMount, set_prefixes


def plan_listeners(plans: Iterable[Plan], settings: Settings) -> list[Listener]:
    """Return the listeners of plans; exposers with the same address and port share one, below their namespaces."""
    listeners: dict[Key, Listener] = {}
    for placed in place(plans, settings):
        exposer, plan = placed.exposer, placed.plan
        if not isinstance(exposer, HttpExposer):
            continue
        # Exposers on free ports (0) do not share a listener, and keep their ports across reloads.
        key = (placed.address, placed.port or f"{plan.loaded.source.file} {exposer.config.namespace}")
        while not placed.port and key in listeners:
            key = (placed.address, f"{key[1]} again")
        listener = listeners.setdefault(key, Listener(key, placed.address, placed.port))
        listener.mounts.append(ExposerMount(plan, placed.exposer_plan, exposer))
    for listener in listeners.values():
        if len(listener.mounts) > 1:
            set_prefixes(listener.mounts)
    return list(listeners.values())
