"""Sockets that systemd has opened for the command (socket activation, sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, MutableMapping
from typing import Final

from adapter_host.cli import UsageError

_FIRST: Final = 3
"""The descriptor of the first socket."""


def take_sockets(environment: MutableMapping[str, str]) -> Mapping[str, socket.socket]:
    """Return the sockets by their names, and remove the variables, which child processes must not use.

    Raise `UsageError` if two sockets have one name, or one is no listening stream.
    """
    count, pid, names = (environment.pop(f"LISTEN_{key}", "") for key in ("FDS", "PID", "FDNAMES"))
    if not count.isdecimal() or pid != str(os.getpid()):
        return {}
    labels = names.split(":") if names else []
    sockets: dict[str, socket.socket] = {}
    for index in range(int(count)):
        name = labels[index] if index < len(labels) else ""
        inherited = socket.socket(fileno=_FIRST + index)
        inherited.set_inheritable(False)
        if inherited.type != socket.SOCK_STREAM:
            raise UsageError(f"socket activation: '{name}' is no stream socket; use ListenStream= in the .socket unit")
        if name in sockets:
            raise UsageError(f"socket activation: two sockets are named '{name}'; give each a FileDescriptorName=")
        sockets[name] = inherited
    return sockets


def assign_sockets(sockets: Mapping[str, socket.socket], namespaces: Collection[str]) -> Mapping[str, socket.socket]:
    """Return the sockets by the namespaces of exposers; a single one of another name has the key "".

    Raise `UsageError` for a name that no exposer has.
    """
    unknown = [name for name in sockets if name not in namespaces]
    if len(sockets) == 1 and unknown:
        return {"": sockets[unknown[0]]}
    if unknown:
        known = ", ".join(sorted(namespaces)) or "none"
        message = f"socket activation: '{unknown[0]}' is no namespace of an exposer (known: {known})"
        raise UsageError(f"{message}; set FileDescriptorName= in the .socket unit")
    return sockets
