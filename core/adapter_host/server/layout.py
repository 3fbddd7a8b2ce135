"""Plan the endpoints of a set of plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapter_host.compiler.plan import Plan
from adapter_host.errors import ProblemsError
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.settings import Settings

from .addresses import Placed, listening_clashes, place
from .endpoint import Endpoint, Key
from .listener import Listener
from .mounts import ExposerMount, set_prefixes
from .socket_listener import SocketExposer, SocketListener


def plan_listeners(plans: Iterable[Plan], settings: Settings) -> list[Listener]:
    """Return the listeners of plans; exposers with the same address and port share one, below their namespaces."""
    listeners: dict[Key, Listener] = {}
    for placed in place(plans, settings):
        exposer = placed.exposer
        if not isinstance(exposer, HttpExposer):
            continue
        key = _key(placed)
        while not placed.port and key in listeners:
            key = (placed.address, f"{key[1]} again")
        listener = listeners.setdefault(key, Listener(key, placed.address, placed.port))
        listener.mounts.append(ExposerMount(placed.plan, placed.exposer_plan, exposer))
    for listener in listeners.values():
        if len(listener.mounts) > 1:
            set_prefixes(listener.mounts)
    return list(listeners.values())


def plan_sockets(plans: Iterable[Plan], settings: Settings) -> list[SocketListener]:
    """Return the endpoints of exposers with sockets; raise `ProblemsError` for one on the port of another exposer."""
    placed = list(place(plans, settings))
    if clashes := [clash for clash in listening_clashes(placed) if clash.exposer.context.sockets]:
        raise ProblemsError(clash.problem for clash in clashes)
    listeners = []
    for item in placed:
        if item.exposer.context.sockets and not isinstance(item.exposer, HttpExposer):
            socket_exposer = SocketExposer(item.plan, item.exposer_plan, item.exposer.context.sockets[0])
            listeners.append(
                SocketListener(_key(item), item.address, item.port, item.path, socket_exposer=socket_exposer)
            )
    return listeners


def plan_endpoints(plans: Sequence[Plan], settings: Settings) -> list[Endpoint]:
    """Return the endpoints of all exposers; raise `ProblemsError` if they exclude each other."""
    return [*plan_listeners(plans, settings), *plan_sockets(plans, settings)]


def _key(placed: Placed) -> Key:
    """Return the key of an exposer's endpoint: those on free ports (0) keep their ports across reloads."""
    if placed.path is not None:
        return "unix", placed.path
    return placed.address, placed.port or f"{placed.plan.loaded.source.file} {placed.exposer.config.namespace}"
