"""`adapter-host install`: add a capability to the configuration of an MCP client."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapter_host.cli import UsageError
from adapter_host.document.messages import join_words
from adapter_host.errors import AdapterHostError
from adapter_host.host.combined import COMBINED
from adapter_host.host.host import Host
from adapter_host.settings import McpEndpoint, Settings

from .clients.client_file import diff, read_file, replace_file
from .clients.formats import CLIENTS, Client, Server
from .clients.servers import http_servers, stdio_server
from .options.plugins import add_plugin_options, build_plugins, setting_values
from .options.shared import pair
from .output.escapes import escape


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("client", metavar="CLIENT", choices=tuple(CLIENTS), help=f"client: {', '.join(CLIENTS)}")
    parser.add_argument(
        "paths", nargs="+", metavar="FILE_OR_DIR",
        help="capability file, or directory of capabilities (repeatable); several MCP exposers are one server of a "
        "client that starts it",
    )  # fmt: skip
    parser.add_argument(
        "--http", action="store_true",
        help="add the URL of a running server (default: the client starts the server itself)",
    )  # fmt: skip
    parser.add_argument(
        "--name",
        help="name of the server in the client (default: the namespace of the exposer, adapter-host for several)",
    )
    parser.add_argument(
        "--env", action="append", default=[], type=pair, metavar="NAME=VALUE",
        help="environment variable of the server, stored in the file of the client (repeatable)",
    )  # fmt: skip
    parser.add_argument("--env-file", metavar="FILE", help=".env file that the server reads its secrets from")
    parser.add_argument("--project", action="store_true", help="change the file of the project in this folder")
    parser.add_argument("--client-file", metavar="FILE", type=Path, help="change this file of the client")
    parser.add_argument("--dry-run", action="store_true", help="show the change, and write nothing")
    add_plugin_options(parser)


def run(options: argparse.Namespace) -> int:
    """Change the file of the client."""
    client = CLIENTS[options.client]
    path = _path(client, options)
    servers = _servers(options)
    old = read_file(path)
    new = old or ""
    try:
        for server in servers:
            new = client.set_entry(new, server)
    except ValueError as error:
        if old is None:
            raise UsageError(str(error)) from error
        raise AdapterHostError(f"cannot change '{path}': {error}") from error
    if new == old:
        print(f"{escape(str(path))}: unchanged")
    elif options.dry_run:
        print("\n".join(map(escape, diff(path, old or "", new))))
    else:
        backup = replace_file(path, old, new)
        kept = "" if backup is None else f" (backup: {backup})"
        names = join_words([f"'{server.name}'" for server in servers], "and")
        print(escape(f"{path}: {names} {'added' if old is None else 'set'}{kept}"))
        print(f"Restart {client.title} to use it.", file=sys.stderr)
    return 0


def _path(client: Client, options: argparse.Namespace) -> Path:
    if options.client_file is not None:
        path: Path = options.client_file
        return path
    if options.project:
        if client.project_file is None:
            raise UsageError(f"{client.title} has no file for a project; leave out --project, or add --client-file")
        return Path(client.project_file)
    if client.user_file is None:
        raise UsageError("the file of the client is unknown; add --client-file")
    return client.user_file()


def _servers(options: argparse.Namespace) -> list[Server]:
    servers = _http_servers(options) if options.http else [_stdio_server(options)]
    if options.name is None:
        return servers
    if len(servers) > 1:
        names = ", ".join(server.name for server in servers)
        raise UsageError(f"--name is the name of one server, and these are several ({names}); leave it out")
    return [replace(servers[0], name=options.name)]


def _http_servers(options: argparse.Namespace) -> list[Server]:
    if options.env or options.env_file:
        raise UsageError("--env and --env-file have no effect with --http; set them where the server runs")
    return [Server(server.name, server.url) for server in http_servers(_host(options))]


def _stdio_server(options: argparse.Namespace) -> Server:
    passed = ["--env-file", str(Path(options.env_file).absolute())] if options.env_file else []
    server = stdio_server(_host(options), options.paths, passed, dict(options.env))
    if server.name == COMBINED:
        # What cannot be served by one endpoint is refused now, and not where the client starts it.
        _host(options, mcp_endpoint=McpEndpoint(port=0))
    return server


def _host(options: argparse.Namespace, **changes: Any) -> Host:
    settings = Settings(environment={}, plugins=setting_values(options), **changes)
    return Host(*options.paths, plugins=build_plugins(options), settings=settings)
