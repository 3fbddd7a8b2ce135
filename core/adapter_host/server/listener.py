"""Listeners: sockets with the applications of the exposers that share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from aiohttp import web

from adapter_host.operation.callers import CallSite
from adapter_host.settings import Settings

from .access_log import RequestLog, sole_site
from .connection.connections import FOREVER, Connections
from .connection.protocol_errors import HostRunner, HostServer
from .connection.site import ConnectionSite
from .endpoint import Endpoint
from .mounts import ExposerMount
from .router import MountedApp, RootRouter, root_application
from .tls.server_tls import ServerTls


@dataclass(slots=True, eq=False)
class Listener(Endpoint):
    """The endpoint of HTTP exposers, which share it by the prefixes of their mounts."""

    mounts: list[ExposerMount] = field(default_factory=list)
    router: RootRouter = field(default_factory=lambda: RootRouter(""))
    _connections: Connections | None = None
    _runner: web.AppRunner | None = None
    _site: ConnectionSite | None = None

    @property
    def served(self) -> Sequence[ExposerMount]:
        """The mounts of its exposers."""
        return self.mounts

    async def start(self, settings: Settings, tls: ServerTls | None) -> None:
        """Accept connections on the open socket, if it does not yet."""
        if self._runner is not None:
            return
        self._runner = HostRunner(
            root_application(self.router, settings),
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=settings.keep_alive_timeout or FOREVER,
            shutdown_timeout=1.0,
            # aiohttp would decode bodies in the event loop, before the access check and when nobody reads them.
            auto_decompress=False,
        )
        await self._runner.setup()
        server = self._runner.server
        assert isinstance(server, HostServer)
        # aiohttp's types do not say that both handlers receive the server's own request class.
        handler = self.router.handler(server.request_handler)
        if settings.access_log is not None:
            server.request_log = RequestLog(settings.access_log, settings.trusted_proxies, self._sole_site)
            handler = server.request_log.handler(handler)
        server.request_handler = handler  # type: ignore[assignment]
        assert self._socket is not None
        if self.path is not None:
            settings = replace(settings, connection_limit_per_address=0)
        self._connections = Connections(settings, self.name, monitors_host=self.monitors_host)
        secure = partial(self.tls_server, tls, self._connections)
        self._site = ConnectionSite(self._runner, self._socket, self._connections, secure)
        await self._site.start()

    def _sole_site(self) -> CallSite:
        return sole_site([mount.exposer_plan.site for mount in self.mounts])

    def serve(self, mounts: list[ExposerMount], apps: Mapping[str, MountedApp]) -> None:
        """Serve other applications from now on; requests in flight complete in the old ones."""
        self.mounts = mounts
        self.router.mount(apps)

    @property
    def protocols(self) -> tuple[str, ...]:
        """HTTP/1.1."""
        return ("http/1.1",)

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
        if self._site is not None and self._site.tls_server is not None:
            await self._site.tls_server.stop()
        if runner is not None:
            await runner.cleanup()
        self.close()

    def urls(self) -> dict[int, str]:
        """Return the URLs of its exposers, by their ids."""
        return {id(mount.exposer): self.url(mount) for mount in self.mounts}

    def url(self, mount: ExposerMount) -> str:
        """Return the URL of a mount; that of a Unix socket has the form of nginx's `proxy_pass`."""
        if self.path is not None:
            return f"http://unix:{self.path}:{mount.prefix}{mount.exposer.endpoint or '/'}"
        return f"{'https' if self.has_tls else 'http'}://{self.location}{mount.prefix}{mount.exposer.endpoint}"
