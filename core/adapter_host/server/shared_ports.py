"""Ports that worker processes share."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

from adapter_host.errors import StartError

from .endpoint import Endpoint, Key
from .tls.server_tls import ServerTls


class SharedPorts:
    """Ports that forked processes share (`SO_REUSEPORT`): bound in the parent, opened by each worker.

    Monitoring exposers report on one process, so each worker has its own port for them: the declared one and the next
    ones.
    """

    def __init__(self, workers: int) -> None:
        self.worker = 1
        self.tls: ServerTls | None = None
        self._workers = workers
        self._sockets: dict[Key, list[socket.socket]] = {}
        self._files: dict[Key, Endpoint] = {}

    def reserve(self, listeners: Sequence[Endpoint]) -> dict[str, list[int]]:
        """Bind the ports of endpoints, keep those already bound, then release all others; raise `StartError`.

        Return the ports of monitoring exposers by namespace, one for each worker.
        """
        added: list[Key] = []
        try:
            for listener in listeners:
                if listener.key not in self._sockets:
                    self._sockets[listener.key] = self._bind(listener)
                    added.append(listener.key)
                if listener.path is None and listener.inherited is None:
                    listener.port = self.port(listener)
        except StartError:
            self._release(added)
            raise
        self._release(self._sockets.keys() - {listener.key for listener in listeners})
        monitoring = [listener for listener in listeners if listener.monitors_host]
        return {
            served.exposer.config.namespace: self._ports(listener)
            for listener in monitoring
            for served in listener.served
        }

    def close(self) -> None:
        """Release all ports in this process."""
        self._release(self._sockets.keys())

    def _release(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            for reserved in self._sockets.pop(key):
                reserved.close()
            if key in self._files:
                self._files.pop(key).remove_file()

    def open(self, listener: Endpoint) -> None:
        """Open a listener in this process: on its port, or by the Unix socket of the parent; raise `StartError`."""
        if listener.inherited is not None:
            listener.open()
        elif listener.path is None:
            listener.port = self.port(listener)
            listener.open(shared=True)
        elif listener.key in self._sockets:
            listener.adopt(self._sockets[listener.key][0])
        else:
            message = "with --workers a reload cannot add a Unix socket; restart"
            raise StartError(listener.locate(message))

    def _bind(self, listener: Endpoint) -> list[socket.socket]:
        """Return the bound sockets of a listener: one, or one for each worker; raise `StartError`."""
        if listener.inherited is not None:
            return [listener.bind()]
        if listener.path is not None:
            bound = listener.bind()
            self._files[listener.key] = listener
            return [bound]
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

    def _ports(self, listener: Endpoint) -> list[int]:
        """Return the ports of a listener: one, or one for each worker."""
        return [reserved.getsockname()[1] for reserved in self._sockets.get(listener.key, ())]

    def port(self, listener: Endpoint) -> int:
        """Return the port of a listener in this process; raise `StartError` for port 0 after the start."""
        index = self.worker - 1 if listener.monitors_host else 0
        if ports := self._ports(listener):
            return ports[index]
        if not listener.port:
            message = "with --workers a reload cannot use port 0; set a port, or restart"
            raise StartError(listener.locate(message))
        return listener.port + index
