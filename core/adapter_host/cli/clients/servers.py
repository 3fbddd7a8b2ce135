"""The MCP servers that a capability declares, as clients reach them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapter_host.cli import UsageError
from adapter_host.host.host import Host
from adapter_host.plugin.exposer import Exposer
from adapter_host.server.layout import plan_listeners

from .formats import Client, Server


def client_entries(client: Client, servers: Sequence[Server]) -> str:
    """Return the configuration of a client with servers; raise `UsageError`."""
    try:
        return client.render(servers)
    except ValueError as error:
        raise UsageError(str(error)) from error


def stdio_server(
    host: Host, paths: Sequence[str], options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Server:
    """Return the one exposer of a host that can be served over standard input and output; raise `UsageError`."""
    names = [
        status.exposer.config.namespace
        for status in host.status()
        if type(status.exposer).serve_stdio is not Exposer.serve_stdio
    ]
    if len(names) != 1:
        known = ", ".join(names) or "none"
        raise UsageError(f"standard input and output can serve exactly one MCP exposer (known: {known})")
    files = [str(Path(path).absolute()) for path in paths]
    return Server(names[0], command=[*_command(), "serve", "--stdio", *options, *files], environment=environment or {})


def http_servers(host: Host) -> list[Server]:
    """Return the MCP exposers of a host with their URLs; raise `UsageError` if there is none, or a URL is unknown."""
    servers = []
    for listener in plan_listeners(host.plans, host.settings):
        for mount in listener.mounts:
            config = mount.exposer.config
            if config.type != "mcp":
                continue
            # The port is unknown before the start if it is 0.
            mount.set_public_url(host.settings, listener.url(mount) if listener.port else None)
            if (url := mount.exposer.public_url) is None:
                raise UsageError(f"the port of '{config.namespace}' is any free one; set it with --port")
            servers.append(Server(config.namespace, url))
    if not servers:
        raise UsageError("no exposer of type mcp has a port; add one, or use --stdio")
    return servers


def _command() -> list[str]:
    """Return the command of this installation: clients have another PATH."""
    installed = Path(sys.executable).parent / "adapter-host"
    if installed.is_file():
        return [str(installed)]
    found = shutil.which("adapter-host")
    return [str(Path(found).absolute())] if found else [sys.executable, "-m", "adapter_host"]
