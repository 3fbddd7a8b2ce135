"""Sockets by address and port, each with the applications of the exposers that share it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from .access import door
from .adapters import HttpExposer
from .credentials import IssuedCredentials
from .errors import StartError
from .gate import Counter
from .plan import ExposerPlan, Plan
from .problem_json import problem_response
from .settings import Settings
from .switch import Entrance, Mounted, pass_through, prepare

Key = tuple[str, int | str]
"""What makes a listener the same one after a reload: its address and its port, or who takes any free one."""

_ADDRESSES: Final = {"localhost": "127.0.0.1", "[::]": "::", "[::1]": "::1"}
"""Addresses as a socket takes them: exposers that say one in two ways share it."""


@dataclass(slots=True)
class Mount:
    """An exposer below its prefix; `prefix` is empty at the root."""

    plan: Plan
    exposer_plan: ExposerPlan
    exposer: HttpExposer[Any]
    prefix: str = ""

    def mounted(
        self, settings: Settings, address: str | None, requests: Counter, introduce: Callable[[web.Application], None]
    ) -> Mounted:
        """Its application with its door and what plugins put behind it, introduced to the host, ready to be mounted."""
        app = self.exposer.build_app()
        introduce(app)
        own_door = door(self.exposer_plan.credentials, settings, address, requests)
        middlewares = self.exposer_plan.middlewares
        for middleware in (*reversed(middlewares), own_door):
            app.middlewares.insert(0, middleware)
        prepare(app, self.prefix)
        # What plugins put there may ask a request for its application, which a shortcut does not take it to.
        takes_shortcut = not middlewares and _has_shortcut(type(self.exposer))
        return Mounted(app, own_door, self.exposer.handler_of if takes_shortcut else None)


def _has_shortcut(exposer: type[HttpExposer[Any]]) -> bool:
    """Whether `handler_of` is made for the very application that `build_app` gives."""
    known = [next(each for each in exposer.mro() if name in vars(each)) for name in ("handler_of", "build_app")]
    return known[0] is not HttpExposer and issubclass(known[0], known[1])


def description(mounts: Iterable[Mount], settings: Settings, address: str | None, requests: Counter) -> Mounted | None:
    """What anybody may read about the exposers, ready to be mounted; None when there is nothing."""
    documents: dict[str, bytes] = {}
    for mount in mounts:
        credentials = mount.exposer_plan.credentials
        if isinstance(credentials, IssuedCredentials):
            documents = {**credentials.documents(f"{mount.prefix}{mount.exposer.endpoint}"), **documents}
    if not documents:
        return None

    async def show(request: web.Request) -> web.Response:
        return web.Response(body=documents[request.path], content_type="application/json")

    own_door = door(None, settings, address, requests)
    app = web.Application(middlewares=[own_door])
    for path in documents:
        app.router.add_get(path, show)
    app.freeze()
    return Mounted(app, own_door)


class SharedPorts:
    """Ports that the processes forked from one share (`SO_REUSEPORT`): taken here, listened on by each of them.

    What watches a host watches one process: each has a port of its own for that, the next one for the next `worker`.
    """

    def __init__(self, workers: int) -> None:
        self.worker = 1
        self._workers = workers
        self._sockets: dict[Key, list[socket.socket]] = {}

    def take(self, listeners: Sequence[Listener]) -> dict[str, list[int]]:
        """Take the ports of these, keep those taken before, and give back all others; raises `StartError`.

        Gives those of what watches each worker, by namespace.
        """
        wanted = {listener.key for listener in listeners}
        for key in [key for key in self._sockets if key not in wanted]:
            for taken in self._sockets.pop(key):
                taken.close()
        for listener in listeners:
            if listener.key not in self._sockets:
                self._sockets[listener.key] = list(self._bind(listener))
            listener.port = self.port(listener)
        watching = [listener for listener in listeners if listener.watches]
        return {mount.exposer.config.namespace: self._ports(each) for each in watching for mount in each.mounts}

    def _bind(self, listener: Listener) -> Iterator[socket.socket]:
        first = listener.port
        for index in range(self._workers if listener.watches else 1):
            listener.port = first and first + index
            # Another host would share its port with us unasked: at first it is bound for us alone.
            listener.bind().close()
            yield listener.bind(shared=True)

    def _ports(self, listener: Listener) -> list[int]:
        """The port of a listener, or those that the workers have for it in turn."""
        return [taken.getsockname()[1] for taken in self._sockets.get(listener.key, ())]

    def port(self, listener: Listener) -> int:
        """The port of a listener in this process; raises `StartError` where each would take any other."""
        index = self.worker - 1 if listener.watches else 0
        if known := self._ports(listener):
            return known[index]
        if not listener.port:
            message = "several workers cannot agree on any free port after the start (name a port, or start anew)"
            raise StartError(listener.locate(message))
        return listener.port + index


@dataclass(slots=True)
class Listener:
    """One address and port, kept across reloads; `port` is the real one once it is open."""

    key: Key
    address: str
    port: int
    mounts: list[Mount] = field(default_factory=list)
    entrance: Entrance = field(default_factory=lambda: Entrance(""))
    _socket: socket.socket | None = None
    _runner: web.AppRunner | None = None

    async def start(self, settings: Settings) -> None:
        """Begin to accept on the open socket."""
        root = web.Application(middlewares=[pass_through], client_max_size=settings.body_limit)
        self.entrance.register(root)
        root.router.add_route("*", "/{path:.*}", _nothing_here)
        self._runner = web.AppRunner(root, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        # Of an application's server both take its own kind of request, which the types do not say.
        server.request_handler = self.entrance.handler(server.request_handler)  # type: ignore[assignment]
        assert self._socket is not None
        await web.SockSite(self._runner, self._socket, backlog=1024).start()

    def open(self, ports: SharedPorts | None = None) -> None:
        """Bind the socket, which other processes may share; connections wait until `start`. Raises `StartError`."""
        if ports is not None:
            self.port = ports.port(self)
        self._socket = self.bind(shared=ports is not None)
        self._socket.setblocking(False)

    def bind(self, *, shared: bool = False) -> socket.socket:
        """A socket bound to its address, and its port known; raises `StartError`."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind((self.address, self.port))
        except (OSError, OverflowError, UnicodeError) as error:
            bound.close()
            raise StartError(self._cannot_listen(error)) from error
        self.port = bound.getsockname()[1]
        return bound

    def locate(self, message: str) -> str:
        """`message` with the place in the document that asks for this listener."""
        config, declaration = self.mounts[0].exposer.config, self.mounts[0].plan.declaration
        return str(declaration.source.problem(declaration.loc(config, "port"), message, code="cannot-listen"))

    def _cannot_listen(self, error: OSError | OverflowError | UnicodeError) -> str:
        config, declaration = self.mounts[0].exposer.config, self.mounts[0].plan.declaration
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "no such host or port"
        of_port = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        other = f"port with --port {config.namespace}=PORT, 0 for any" if of_port else "address with --address"
        message = f"cannot listen on {self.address}:{self.port}: {reason} (choose another {other})"
        loc = declaration.loc(config, "port" if of_port else "address")
        return str(declaration.source.problem(loc, message, code="cannot-listen"))

    def serve(self, mounts: list[Mount], mounted: Mapping[str, Mounted]) -> None:
        """Serve other applications from now on; requests in progress stay where they are."""
        self.mounts = mounts
        self.entrance.mount(mounted)

    @property
    def serving(self) -> bool:
        """Whether it takes new connections."""
        return self._runner is not None and bool(self._runner.sites)

    @property
    def watches(self) -> bool:
        """Whether it is for those who watch the host alone."""
        return all(mount.exposer.watches for mount in self.mounts)

    async def stop_accepting(self) -> None:
        """Take no new connections; those that are open go on."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def stop(self) -> None:
        """Close everything."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        listening, self._socket = self._socket, None
        if listening is not None:
            listening.close()

    def url(self, mount: Mount) -> str:
        """Where a mount is reached, as a person types it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address, self.address)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}{mount.prefix}{mount.exposer.endpoint}"


async def _nothing_here(_: web.Request) -> web.Response:
    return problem_response(404, "there is nothing at this path")


def lay_out(plans: Iterable[Plan], settings: Settings) -> list[Listener]:
    """The listeners that plans need; exposers of one address and port share one, each below its namespace."""
    listeners: dict[Key, Listener] = {}
    for mount in mounts(plans):
        config = mount.exposer.config
        address = _ADDRESSES.get(settings.address or config.address, settings.address or config.address)
        port = settings.ports.get(config.namespace, config.port)
        # Two exposers that take any free port do not share one, and keep theirs across reloads.
        key = (address, port or f"{mount.plan.declaration.source.file} {config.namespace}")
        while not port and key in listeners:
            key = (address, f"{key[1]} again")
        listeners.setdefault(key, Listener(key, address, port)).mounts.append(mount)
    for listener in listeners.values():
        if len(listener.mounts) > 1:
            set_prefixes(listener.mounts)
    return list(listeners.values())


def mounts(plans: Iterable[Plan]) -> list[Mount]:
    """Every HTTP exposer of the plans, at its root."""
    return [
        Mount(plan, exposer_plan, exposer_plan.exposer)
        for plan in plans
        for exposer_plan in plan.exposers
        if isinstance(exposer_plan.exposer, HttpExposer) and not exposer_plan.exposer.stdio
    ]


def set_prefixes(mounts: Sequence[Mount], root: str = "") -> None:
    """Put each mount below its namespace."""
    for mount in mounts:
        mount.prefix = f"{root}/{mount.exposer.config.namespace}"
