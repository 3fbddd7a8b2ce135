"""Ports that several worker processes share."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

from adapter_host.errors import StartError

from .listener import Key, Listener


class SharedPorts:
    """Ports that the processes forked from one share (`SO_REUSEPORT`): taken here, listened on by each of them.

    What watches a host watches one process: each has a port of its own for that, the next one for the next `worker`.
    """

    def __init__(self, workers: int) -> None:
        self.worker = 1
        self._workers = workers
        self._sockets: dict[Key, list[socket.socket]] = {}

    def reserve(self, listeners: Sequence[Listener]) -> dict[str, list[int]]:
        """Take the ports of these, keep those taken before, and give back all others; raises `StartError`.

        Gives those of what watches each worker, by namespace.
        """
        keys = {listener.key for listener in listeners}
        for key in [key for key in self._sockets if key not in keys]:
            for reserved in self._sockets.pop(key):
                reserved.close()
        for listener in listeners:
            if listener.key not in self._sockets:
                self._sockets[listener.key] = list(self._bind(listener))
            listener.port = self.port(listener)
        monitoring = [listener for listener in listeners if listener.monitors_host]
        return {
            mount.exposer.config.namespace: self._ports(listener)
            for listener in monitoring
            for mount in listener.mounts
        }

    def open(self, listener: Listener) -> None:
        """Bind a listener's socket to its port in this process; raises `StartError`."""
        listener.port = self.port(listener)
        listener.open(shared=True)

    def _bind(self, listener: Listener) -> Iterator[socket.socket]:
        first = listener.port
        for index in range(self._workers if listener.monitors_host else 1):
            listener.port = first and first + index
            # Another host would share its port with us unasked: at first it is bound for us alone.
            listener.bind().close()
            yield listener.bind(shared=True)

    def _ports(self, listener: Listener) -> list[int]:
        """Return the port of a listener, or those that the workers have for it in turn."""
        return [reserved.getsockname()[1] for reserved in self._sockets.get(listener.key, ())]

    def port(self, listener: Listener) -> int:
        """Return the port of a listener in this process; raises `StartError` where each would take any other."""
        index = self.worker - 1 if listener.monitors_host else 0
        if ports := self._ports(listener):
            return ports[index]
        if not listener.port:
            message = "several workers cannot agree on any free port after the start (name a port, or start anew)"
            raise StartError(listener.locate(message))
        return listener.port + index
