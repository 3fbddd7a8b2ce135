"""The options of the MCP endpoint over everything that is served."""

from __future__ import annotations

import argparse
import re
from typing import Final

from adapter_host.cli import UsageError
from adapter_host.settings import McpEndpoint

from .shared import port_number

_DEFAULT: Final = McpEndpoint()
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def add_mcp_endpoint_options(group: argparse._ActionsContainer) -> None:
    """Add the options of the endpoint."""
    group.add_argument(
        "--mcp-endpoint", type=_endpoint, metavar="[PORT]/PATH",
        help="serve one more MCP endpoint over everything, at this path; names of tools begin with the namespaces of "
        f"their exposers (default port: {_DEFAULT.port}, or 0 for any free port; default path: {_DEFAULT.path})",
    )  # fmt: skip
    group.add_argument(
        "--except", dest="excluded", action="append", default=[], metavar="NAME|TAG|HINT|NAMESPACE",
        help="with --mcp-endpoint, leave these out of it; --only chooses what it has in the same way (repeatable)",
    )  # fmt: skip


def mcp_endpoint(options: argparse.Namespace) -> McpEndpoint | None:
    """Return the endpoint that the options ask for; raise `UsageError`."""
    if options.mcp_endpoint is None:
        if options.excluded:
            raise UsageError("--except leaves something out of the endpoint of --mcp-endpoint; add that option")
        return None
    port, path = options.mcp_endpoint
    return McpEndpoint(port, path, tuple(options.only), tuple(options.excluded))


def _endpoint(text: str) -> tuple[int, str]:
    """Parse `PORT`, `/PATH` or `PORT/PATH`."""
    port, slash, rest = text.partition("/")
    path = f"/{rest}" if slash else _DEFAULT.path
    if not _PATH.fullmatch(path):
        raise argparse.ArgumentTypeError(f"'{path}' is not a path; use letters, digits, '/', '.', '_', '~' and '-'")
    return port_number(port) if port or not slash else _DEFAULT.port, path
