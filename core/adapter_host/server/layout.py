"""Plan the endpoints of a set of plans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from adapter_host.auth.client_certificates import MUTUAL_TLS
from adapter_host.compiler.plan import Plan
from adapter_host.errors import PluginError, ProblemsError
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.settings import Settings

from .addresses import Placed, listening_clashes, place
from .endpoint import Endpoint, Key
from .listener import Listener
from .mounts import ExposerMount, set_prefixes
from .socket_listener import SocketExposer, SocketListener


def plan_listeners(plans: Iterable[Plan], settings: Settings) -> list[Listener]:
    """Return the listeners of plans; exposers with the same address and port share one, below their namespaces."""
    return _listeners(place(plans, settings), has_tls=settings.tls is not None)


def plan_sockets(plans: Iterable[Plan], settings: Settings) -> list[SocketListener]:
    """Return the endpoints of exposers with sockets; raise `ProblemsError` for one on the port of another."""
    placed = [item for item in place(plans, settings) if item.exposer.context.sockets]
    _require_no_clash(placed)
    _require_client_authorities(placed, settings)
    return _socket_listeners(placed, has_tls=settings.tls is not None)


def plan_endpoints(plans: Sequence[Plan], settings: Settings) -> list[Endpoint]:
    """Return the endpoints of all exposers; raise `ProblemsError` if they exclude each other."""
    placed = list(place(plans, settings))
    _require_no_clash(placed)
    _require_client_authorities(placed, settings)
    has_tls = settings.tls is not None
    listeners = _listeners(placed, has_tls=has_tls)
    return [*listeners, *_socket_listeners(placed, [listener.key for listener in listeners], has_tls=has_tls)]


def _listeners(exposers: Iterable[Placed], *, has_tls: bool) -> list[Listener]:
    listeners: dict[Key, Listener] = {}
    for placed in exposers:
        exposer = placed.exposer
        if not isinstance(exposer, HttpExposer):
            continue
        key = _key(placed, listeners)
        listener = listeners.get(key)
        if listener is None:
            tls = has_tls and placed.path is None
            listener = Listener(key, placed.address, placed.port, placed.path, tls, placed.inherited)
            listeners[key] = listener
        listener.mounts.append(ExposerMount(placed.plan, placed.exposer_plan, exposer))
    for listener in listeners.values():
        if len(listener.mounts) > 1:
            set_prefixes(listener.mounts)
    return list(listeners.values())


def _socket_listeners(placed: Iterable[Placed], taken: Iterable[Key] = (), *, has_tls: bool) -> list[SocketListener]:
    """Return the endpoints of exposers with sockets, with other keys than the `taken` ones."""
    listeners: list[SocketListener] = []
    keys = set(taken)
    for item in placed:
        if not item.exposer.context.sockets:
            continue
        if isinstance(item.exposer, HttpExposer):
            name = f"'{item.exposer.config.namespace}' ({item.exposer.config.type})"
            raise PluginError(f"{name} is an HTTP exposer, for which the host listens; it must not call 'listen'")
        socket_exposer = SocketExposer(item.plan, item.exposer_plan, item.exposer.context.sockets[0])
        key = _key(item, keys)
        keys.add(key)
        tls = has_tls and item.path is None
        listener = SocketListener(
            key, item.address, item.port, item.path, tls, item.inherited, socket_exposer=socket_exposer
        )
        listeners.append(listener)
    return listeners


def _require_no_clash(placed: Sequence[Placed]) -> None:
    """Raise `ProblemsError` if an exposer with a socket is on the port or path of another exposer."""
    clashes = [
        clash
        for clash in listening_clashes(placed)
        if clash.exposer.context.sockets or (clash.other is not None and clash.other.context.sockets)
    ]
    if clashes:
        raise ProblemsError(clash.problem for clash in clashes)


def _require_client_authorities(placed: Sequence[Placed], settings: Settings) -> None:
    """Raise `ProblemsError` if an exposer checks certificates of clients, and its socket asks for none."""
    problems = []
    for item in placed:
        credentials, loaded = item.exposer_plan.credentials, item.plan.loaded
        if credentials is None or credentials.kind != MUTUAL_TLS:
            continue
        if item.path is None and settings.tls is not None and settings.tls.client_ca is not None:
            continue
        remedy = "set --tls-cert, --tls-key and --tls-client-ca" if item.path is None else "set 'port' instead"
        message = f"'{item.exposer.config.namespace}' requires certificates of clients, and {item.socket} has no TLS"
        message += f" that asks for them; {remedy}"
        loc = loaded.loc(item.exposer.config, "authentication")
        problems.append(loaded.source.problem(loc, message, code="cannot-listen"))
    if problems:
        raise ProblemsError(problems)


def _key(placed: Placed, taken: Collection[Key]) -> Key:
    """Return the key of an exposer's endpoint: those on free ports (0) share none, and keep it across reloads."""
    if placed.path is not None:
        return "unix", placed.path
    if placed.port:
        return placed.address, placed.port
    name = f"{placed.plan.loaded.source.file} {placed.exposer.config.namespace}"
    while (placed.address, name) in taken:
        name += " again"
    return placed.address, name
