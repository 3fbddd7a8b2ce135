"""Ports that worker processes share."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from adapter_host.errors import StartError

from .listener import Key, Listener


class SharedPorts:
    """Ports that forked processes share (`SO_REUSEPORT`): bound in the parent, opened by each worker.

    Monitoring exposers report on one process, so each worker has its own port for them: the declared one and the next
    ones.
    """

    def __init__(self, workers: int) -> None:
        self.worker = 1
        self._workers = workers
        self._sockets: dict[Key, list[socket.socket]] = {}

    def reserve(self, listeners: Sequence[Listener]) -> dict[str, list[int]]:
        """Bind the ports of listeners, keep those already bound, and release all others; raise `StartError`.

        Return the ports of monitoring exposers by namespace, one for each worker.
        """
        keys = {listener.key for listener in listeners}
        for key in [key for key in self._sockets if key not in keys]:
            for reserved in self._sockets.pop(key):
                reserved.close()
        for listener in listeners:
            if listener.key not in self._sockets:
                self._sockets[listener.key] = self._bind(listener)
            listener.port = self.port(listener)
        monitoring = [listener for listener in listeners if listener.monitors_host]
        return {
            mount.exposer.config.namespace: self._ports(listener)
            for listener in monitoring
            for mount in listener.mounts
        }

    def close(self) -> None:
        """Release all ports in this process."""
        for sockets in self._sockets.values():
            for reserved in sockets:
                reserved.close()
        self._sockets.clear()

    def open(self, listener: Listener) -> None:
        """Open a listener on its port in this process; raise `StartError`."""
        listener.port = self.port(listener)
        listener.open(shared=True)

    def _bind(self, listener: Listener) -> list[socket.socket]:
        """Return the bound sockets of a listener: one, or one for each worker; raise `StartError`."""
        first = listener.port
        sockets: list[socket.socket] = []
        try:
            for index in range(self._workers if listener.monitors_host else 1):
                listener.port = first and first + index
                # SO_REUSEPORT would also share the port with another host, so first check that it is free.
                listener.bind().close()
                sockets.append(listener.bind(shared=True))
        except StartError:
            for reserved in sockets:
                reserved.close()
            raise
        return sockets

    def _ports(self, listener: Listener) -> list[int]:
        """Return the ports of a listener: one, or one for each worker."""
        return [reserved.getsockname()[1] for reserved in self._sockets.get(listener.key, ())]

    def port(self, listener: Listener) -> int:
        """Return the port of a listener in this process; raise `StartError` for port 0 after the start."""
        index = self.worker - 1 if listener.monitors_host else 0
        if ports := self._ports(listener):
            return ports[index]
        if not listener.port:
            message = "with --workers a reload cannot use port 0; set a port, or restart"
            raise StartError(listener.locate(message))
        return listener.port + index
