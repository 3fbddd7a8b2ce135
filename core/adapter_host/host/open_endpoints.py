"""The open endpoints of a host, which outlive its generations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from adapter_host.compiler.plan import Plan
from adapter_host.errors import StartError
from adapter_host.operation.limiter import InFlightCounter
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.server.endpoint import Endpoint, Key
from adapter_host.server.layout import plan_endpoints
from adapter_host.server.listener import Listener
from adapter_host.server.router import MountedApp
from adapter_host.server.shared_ports import SharedPorts
from adapter_host.server.socket_listener import SocketListener
from adapter_host.server.tls.server_tls import ServerTls
from adapter_host.settings import Settings

from .generation import Generation


class OpenEndpoints:
    """Endpoints by their keys; with reserved ports, each worker process opens those of its parent."""

    def __init__(self) -> None:
        self._open: dict[Key, Endpoint] = {}
        self._ports: SharedPorts | None = None
        self._reserved: list[Endpoint] = []
        self._tls: ServerTls | None = None

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(list(self._open.values()) or self._reserved)

    @property
    def opened(self) -> list[Endpoint]:
        """The endpoints that this process has opened."""
        return list(self._open.values())

    def reserve(self, plans: Sequence[Plan], settings: Settings, ports: SharedPorts) -> dict[str, list[int]]:
        """Bind the sockets of all endpoints in `ports`; return the ports of monitoring exposers by namespace.

        Raise `StartError` if a port is in use, and for an exposer without a socket.
        """
        for exposer in (exposer_plan.exposer for plan in plans for exposer_plan in plan.exposers):
            if not isinstance(exposer, HttpExposer) and not exposer.context.sockets:
                name = f"'{exposer.config.namespace}' ({exposer.config.type})"
                raise StartError(f"{name} has no socket to share; serve it without --workers")
        self._reserved, self._ports = plan_endpoints(plans, settings), ports
        if ports.tls is None:
            ports.tls = None if settings.tls is None else ServerTls(settings.tls)
        else:
            ports.tls.reload()
        self._tls = ports.tls
        return ports.reserve(self._reserved)

    def open(self, planned: Sequence[Endpoint]) -> list[Endpoint]:
        """Open those of the planned endpoints that are not open, and return them; raise `StartError`."""
        opened: list[Endpoint] = []
        try:
            for endpoint in planned:
                if self._tls is not None:
                    endpoint.prepare_tls(self._tls)
                if self._kept(endpoint) is not endpoint:
                    continue
                if (replaced := self._open.get(endpoint.key)) is not None:
                    endpoint.replace(replaced)
                else:
                    (self._ports.open if self._ports else Endpoint.open)(endpoint)
                opened.append(endpoint)
        except BaseException:
            for endpoint in opened:
                endpoint.close()
            raise
        return opened

    def load_tls(self, settings: Settings) -> None:
        """Load the files of TLS, if there are any; raise `StartError`."""
        if self._tls is None and settings.tls is not None:
            self._tls = ServerTls(settings.tls)

    def assign(self, planned: Sequence[Endpoint], requests: InFlightCounter) -> None:
        """Let the exposers of a generation use their sockets, which are open, when they start."""
        for endpoint in planned:
            if isinstance(endpoint, SocketListener):
                current = self._kept(endpoint)
                assert isinstance(current, SocketListener)
                endpoint.socket_exposer.assign(current, requests)

    def _kept(self, planned: Endpoint) -> Endpoint:
        """Return the open endpoint that a planned one continues, or the planned one if it is new."""
        current = self._open.get(planned.key)
        return current if current is not None and type(current) is type(planned) else planned

    def switch(
        self, planned: Sequence[Endpoint], apps: Mapping[Key, Mapping[str, MountedApp]], old: Generation | None
    ) -> list[Endpoint]:
        """Serve the exposers of the planned endpoints from now on, and return the endpoints that serve none.

        The connections that the new exposers do not serve are closed when the old generation stops.
        """
        before, self._open = self._open, {endpoint.key: self._kept(endpoint) for endpoint in planned}
        for endpoint in planned:
            current = self._open[endpoint.key]
            if isinstance(current, Listener) and isinstance(endpoint, Listener):
                current.serve(endpoint.mounts, apps[endpoint.key])
            elif isinstance(current, SocketListener) and isinstance(endpoint, SocketListener):
                line = current.switch(endpoint.socket_exposer)
                if line is not None and old is not None:
                    old.add_stop(f"connections of '{line.namespace}'", partial(current.close_line, line))
        return [endpoint for key, endpoint in before.items() if self._open.get(key) is not endpoint]

    async def start(self, settings: Settings) -> None:
        """Accept connections on all endpoints, with the current files of TLS."""
        if self._tls is not None:
            self._tls.start()
        for endpoint in self._open.values():
            await endpoint.start(settings, self._tls)

    async def stop(self) -> list[BaseException]:
        """Close all endpoints and their connections, and return the errors."""
        errors: list[BaseException] = []
        while self._open:
            _, endpoint = self._open.popitem()
            try:
                await endpoint.stop()
            except BaseException as error:
                errors.append(error)
        if self._tls is not None:
            await self._tls.stop()
        return errors
