"""The MCP servers that a capability declares, as clients reach them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapter_host.cli import UsageError
from adapter_host.host.combined import COMBINED, OPTION, combinable, combined_exposer
from adapter_host.host.host import Host
from adapter_host.plugin.exposer import Exposer
from adapter_host.server.layout import plan_listeners
from adapter_host.settings import McpEndpoint

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
    """Return the server over standard input and output for everything that a host serves; raise `UsageError`.

    More than one MCP exposer is one endpoint, as with `--mcp-endpoint`.
    """
    nodes = combinable(host.plans, host.plugins)
    if not nodes:
        raise UsageError("no exposer can be served over standard input and output; add one of type mcp")
    first = nodes[0].exposer
    is_alone = len(nodes) == 1 and type(first).serve_stdio is not Exposer.serve_stdio
    is_combined = combined_exposer(host.plans) is not None or not is_alone
    name = COMBINED if is_combined else first.config.namespace
    shared = _endpoint_options(host.settings.mcp_endpoint) if is_combined else []
    files = [str(Path(path).absolute()) for path in paths]
    command = [*_command(), "serve", "--stdio", *shared, *options, *files]
    return Server(name, command=command, environment=environment or {})


def _endpoint_options(endpoint: McpEndpoint | None) -> list[str]:
    chosen = [] if endpoint is None else [f"--only={word}" for word in endpoint.only]
    left_out = [] if endpoint is None else [f"--except={word}" for word in endpoint.excluded]
    return [OPTION, "0", *chosen, *left_out]


def http_servers(host: Host) -> list[Server]:
    """Return the MCP exposers of a host with their URLs, or the one endpoint over all of them (`--mcp-endpoint`).

    Raise `UsageError` if there is none, or a URL is unknown.
    """
    servers = []
    combined = combined_exposer(host.plans)
    for listener in plan_listeners(host.plans, host.settings):
        for mount in listener.mounts:
            config = mount.exposer.config
            if config.type != "mcp" or combined not in (None, mount.exposer):
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
