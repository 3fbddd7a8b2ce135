"""The options of `adapter-host serve`."""

from __future__ import annotations

import argparse

from adapter_host.capability.media_types import parse_size
from adapter_host.cli.clients.formats import CLIENTS
from adapter_host.cli.options.mcp_endpoint import add_mcp_endpoint_options
from adapter_host.cli.options.plugins import add_plugin_options
from adapter_host.cli.options.shared import (
    add_openapi_options,
    add_port_options,
    add_skip_option,
    add_upstream_options,
    network,
    path_pair,
    public_url_pair,
    seconds,
)
from adapter_host.cli.output.logging import BUFFER, LEVELS

from .console_option import PORT, ConsoleAction, ConsoleEditAction


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="FILE_OR_DIR",
        help="capability file, OpenAPI document, or directory of capabilities (repeatable)",
    )
    parser.add_argument(
        "--capability", action="append", default=[], metavar="FILE_OR_DIR",
        help="capability file or directory, same as the positional argument (repeatable)",
    )  # fmt: skip
    add_skip_option(parser)
    add_openapi_options(parser)
    add_upstream_options(parser)
    _add_network_options(parser.add_argument_group("network"))
    _add_tls_options(parser.add_argument_group("TLS"))
    _add_connection_options(parser.add_argument_group("connections of clients"))
    _add_life_cycle_options(parser.add_argument_group("reload and shutdown"))
    _add_output_options(parser.add_argument_group("output"))
    add_plugin_options(parser)


def _add_network_options(group: argparse._ArgumentGroup) -> None:
    add_port_options(group)
    add_mcp_endpoint_options(group)
    group.add_argument(
        "--uds", action="append", default=[], type=path_pair, metavar="[NAMESPACE=]PATH",
        help="Unix socket in place of the port of an exposer, of all HTTP exposers but control ports, or of "
        "the only exposer (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--allowed-host", action="append", default=[], metavar="NAME", help="accept this Host header (repeatable)"
    )
    group.add_argument(
        "--allowed-origin", action="append", default=[], metavar="URL", help="accept this Origin header (repeatable)"
    )
    group.add_argument(
        "--public-url", action="append", default=[], type=public_url_pair, metavar="[NAMESPACE=]URL",
        help="URL for clients behind a reverse proxy, of an exposer or of all (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--trusted-proxy", action="append", default=[], type=network, metavar="ADDRESS",
        help="trust X-Forwarded-Host and X-Forwarded-For from this IP address or network (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=_positive, default=1, metavar="N",
        help="number of worker processes sharing the ports (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--state", metavar="URL",
        help="state store that replicas share, such as redis://HOST (default: from --config, else memory:)",
    )  # fmt: skip
    group.add_argument(
        "--state-prefix", default="adapter-host", metavar="NAME",
        help="replicas with the same prefix share state (default: adapter-host)",
    )  # fmt: skip
    group.add_argument(
        "--stdio", action="store_true", help="serve one client over standard input and output, without ports"
    )
    _add_call_options(group)


def _add_call_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--call-limit",
        type=_positive,
        default=1000,
        metavar="N",
        help="maximum concurrent calls per exposer (default: 1000)",
    )
    group.add_argument(
        "--response-limit", type=_size, default=10 * 1024 * 1024, metavar="SIZE",
        help="maximum size of a buffered response of an API, such as 512KiB (default: 10MiB)",
    )  # fmt: skip
    group.add_argument(
        "--conversion-workers", type=_positive, default=2, metavar="N",
        help="maximum number of processes that convert large responses of other formats to JSON (default: 2)",
    )  # fmt: skip
    group.add_argument(
        "--conversion-timeout", type=_more_than_zero, default=10.0, metavar="SECONDS",
        help="timeout for converting one response (default: 10)",
    )  # fmt: skip


def _add_tls_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--tls-cert", metavar="FILE",
        help="serve TLS on all ports with this PEM certificate and its chain, read again when it changes",
    )  # fmt: skip
    group.add_argument("--tls-key", metavar="FILE", help="PEM key of the certificate")
    group.add_argument(
        "--tls-client-ca", metavar="FILE", help="require a certificate of clients, from one of these PEM authorities"
    )


def _add_connection_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--header-timeout", type=seconds, default=10.0, metavar="SECONDS",
        help="seconds until the head of a request must be complete (default: 10; 0: no limit)",
    )  # fmt: skip
    group.add_argument(
        "--body-timeout", type=seconds, default=30.0, metavar="SECONDS",
        help="seconds over which a request body must have the minimum rate (default: 30; 0: no limit)",
    )  # fmt: skip
    group.add_argument(
        "--send-timeout", type=seconds, default=30.0, metavar="SECONDS",
        help="seconds over which a client must read a response at the minimum rate (default: 30; 0: no limit)",
    )  # fmt: skip
    group.add_argument(
        "--minimum-rate", type=_count, default=500, metavar="BYTES",
        help="bytes per second that a client must send or read (default: 500; 0: any progress)",
    )  # fmt: skip
    group.add_argument(
        "--keep-alive-timeout", type=seconds, default=75.0, metavar="SECONDS",
        help="seconds until an idle connection is closed (default: 75; 0: no limit)",
    )  # fmt: skip
    group.add_argument(
        "--connection-limit", type=_count, default=2000, metavar="N",
        help="maximum connections per port (default: 2000; 0: no limit)",
    )  # fmt: skip
    group.add_argument(
        "--connection-limit-per-address", type=_count, default=1000, metavar="N",
        help="maximum connections of a client address per port (default: 1000; 0: no limit)",
    )  # fmt: skip


def _add_life_cycle_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--reload", action="store_true",
        help="also reload when a capability file changes; files with secrets are always watched",
    )  # fmt: skip
    group.add_argument(
        "--watch-interval", type=_more_than_zero, default=1.0, metavar="SECONDS",
        help="seconds between two checks of watched files (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--drain-timeout", type=seconds, default=30.0, metavar="SECONDS",
        help="seconds to wait for calls in flight on shutdown (default: 30)",
    )  # fmt: skip
    group.add_argument(
        "--drain-delay", type=seconds, default=0.0, metavar="SECONDS",
        help="seconds to keep serving, but report not ready, before shutdown (default: 0)",
    )  # fmt: skip


def _add_output_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--print-config", choices=tuple(CLIENTS), metavar="CLIENT",
        help=f"print the configuration of an MCP client, and serve nothing: {', '.join(CLIENTS)}",
    )  # fmt: skip
    group.add_argument(
        "--console", nargs="?", action=ConsoleAction, default=False, metavar="PORT",
        help=f"serve a console for the browser on loopback, and print its login link (default port: {PORT})",
    )  # fmt: skip
    group.add_argument(
        "--console-edit", action=ConsoleEditAction, help="let operators change the served files in the console"
    )
    group.add_argument("--log-format", choices=("text", "json"), default="text", help="log format (default: text)")
    group.add_argument("--log-level", choices=LEVELS, default="info", help="log level (default: info)")
    group.add_argument(
        "--no-access-log", dest="access_log", action="store_false",
        help="log no line for each request and each message (default: log them at level info)",
    )  # fmt: skip
    group.add_argument(
        "--log-buffer", type=_positive, default=BUFFER, metavar="BYTES",
        help=f"bytes of the log that wait for a slow reader; lines beyond are dropped and counted (default: {BUFFER})",
    )  # fmt: skip
    group.add_argument(
        "--ready-file", metavar="PATH",
        help="write a JSON file with the URLs once ready, atomically; removed on shutdown",
    )  # fmt: skip


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of 0 or more")
    return int(text)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def _more_than_zero(text: str) -> float:
    if not (number := seconds(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not greater than 0")
    return number
