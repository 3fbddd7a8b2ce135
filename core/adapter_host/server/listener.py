"""Listeners: sockets with the applications of the exposers that share them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from adapter_host.errors import StartError
from adapter_host.settings import Settings

from .connection.connections import Connections
from .connection.protocol import FOREVER, ConnectionSite
from .connection.protocol_errors import HostRunner
from .mounts import ExposerMount
from .problem_json import problem_response
from .router import MountedApp, RootRouter, pass_through

Key = tuple[str, int | str]
"""The identity of a listener across reloads: its address, and its port or, for a free port, its exposer."""


@dataclass(slots=True)
class Listener:
    """A listener on one address and port, kept across reloads; `port` is the actual one once it is open."""

    key: Key
    address: str
    port: int
    mounts: list[ExposerMount] = field(default_factory=list)
    router: RootRouter = field(default_factory=lambda: RootRouter(""))
    _socket: socket.socket | None = None
    _connections: Connections | None = None
    _runner: web.AppRunner | None = None

    async def start(self, settings: Settings) -> None:
        """Accept connections on the open socket."""
        root = web.Application(middlewares=[pass_through], client_max_size=settings.body_limit)
        self.router.register(root)
        root.router.add_route("*", "/{path:.*}", _not_found)
        self._runner = HostRunner(
            root,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=settings.keep_alive_timeout or FOREVER,
            shutdown_timeout=1.0,
            # aiohttp would decode bodies in the event loop, before the access check and when nobody reads them.
            auto_decompress=False,
        )
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        # aiohttp's types do not say that both handlers receive the server's own request class.
        server.request_handler = self.router.handler(server.request_handler)  # type: ignore[assignment]
        assert self._socket is not None
        self._connections = Connections(settings, f"{self.address}:{self.port}", monitors_host=self.monitors_host)
        await ConnectionSite(self._runner, self._socket, self._connections).start()

    def open(self, *, shared: bool = False) -> None:
        """Bind the socket; connections wait until `start`. Raise `StartError`."""
        self._socket = self.bind(shared=shared)
        self._socket.setblocking(False)

    def bind(self, *, shared: bool = False) -> socket.socket:
        """Return a bound socket and set `port` to the actual port; raise `StartError`."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        try:
            bound = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise StartError(self._cannot_listen(error)) from error
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind((self.address, self.port))
        except (OSError, OverflowError, TypeError, ValueError) as error:
            bound.close()
            raise StartError(self._cannot_listen(error)) from error
        self.port = bound.getsockname()[1]
        return bound

    def locate(self, message: str) -> str:
        """Return `message` with the document position of this listener."""
        config, loaded = self.mounts[0].exposer.config, self.mounts[0].plan.loaded
        return str(loaded.source.problem(loaded.loc(config, "port"), message, code="cannot-listen"))

    def _cannot_listen(self, error: Exception) -> str:
        config, loaded = self.mounts[0].exposer.config, self.mounts[0].plan.loaded
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "no such host or port"
        concerns_port = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        alternative = (
            f"port with --port {config.namespace}=PORT, 0 for any free port"
            if concerns_port
            else "address with --address"
        )
        remedy = f"choose another {alternative}"
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            remedy = "raise the limit of open files (ulimit -n), or let exposers share ports"
        message = f"cannot listen on {self.address}:{self.port}: {reason}; {remedy}"
        loc = loaded.loc(config, "port" if concerns_port else "address")
        return str(loaded.source.problem(loc, message, code="cannot-listen"))

    def serve(self, mounts: list[ExposerMount], apps: Mapping[str, MountedApp]) -> None:
        """Serve other applications from now on; requests in flight complete in the old ones."""
        self.mounts = mounts
        self.router.mount(apps)

    @property
    def serving(self) -> bool:
        """Whether the listener accepts connections."""
        return self._runner is not None and bool(self._runner.sites)

    @property
    def monitors_host(self) -> bool:
        """Whether all its exposers monitor the host."""
        return all(mount.exposer.monitors_host for mount in self.mounts)

    async def stop_accepting(self) -> None:
        """Accept no new connections; open ones continue."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def finish_bodies(self) -> None:
        """Wait for the responses to the requests whose bodies are not complete yet."""
        if self._connections is not None:
            await self._connections.finish_bodies()

    async def stop(self) -> None:
        """Close all connections and the socket."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        listening, self._socket = self._socket, None
        if listening is not None:
            listening.close()

    def url(self, mount: ExposerMount) -> str:
        """Return the URL of a mount."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address, self.address)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}{mount.prefix}{mount.exposer.endpoint}"


async def _not_found(_: web.Request) -> web.Response:
    return problem_response(404, "no exposer at this path")
