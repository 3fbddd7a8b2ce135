"""Options of several commands, and the settings that they create."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values

from adapter_host.base_uris import ALL, is_origin, parse_origin, split_address
from adapter_host.cli import UsageError
from adapter_host.compiler.plan import Plan
from adapter_host.server.addresses import can_listen, sharing_exposers
from adapter_host.settings import Settings

from .plugins import setting_values

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://.", re.IGNORECASE)

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]+")

_PUBLIC_URL: Final = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")


def pair(text: str, syntax: str = "NAME=VALUE") -> tuple[str, str]:
    """Parse `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not {syntax}")
    return name, value


def port_pair(text: str) -> tuple[str, int]:
    """Parse `NAMESPACE=PORT`."""
    name, value = pair(text, "NAMESPACE=PORT")
    return name, port_number(value)


def port_number(text: str) -> int:
    """Parse a port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port; use 0 to 65535 (0: any free port)")
    return int(text)


def base_uri_pair(text: str) -> tuple[str, str]:
    """Parse `NAMESPACE=URL`, `ORIGIN=URL` or `*=URL`; the consumer decides which schemes it supports."""
    name, value = pair(text, "NAMESPACE=URL, ORIGIN=URL or '*=URL'")
    if is_origin(name):
        try:
            name = parse_origin(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    if not _URL.match(value):
        raise argparse.ArgumentTypeError(f"'{value}' is not a URL, such as https://api.example.com")
    return name, value


def public_url_pair(text: str) -> tuple[str, str]:
    """Parse `URL` or `NAMESPACE=URL`; the namespace of a URL of all exposers is empty."""
    namespace, url = ("", text) if text.startswith(("http://", "https://")) else pair(text, "[NAMESPACE=]URL")
    if not _PUBLIC_URL.fullmatch(url):
        raise argparse.ArgumentTypeError(f"'{url}' is not an http or https URL without query and fragment")
    return namespace, url


def path_pair(text: str) -> tuple[str, str]:
    """Parse `PATH` or `NAMESPACE=PATH`; the namespace of a path of all exposers is empty."""
    if "=" in text and not text.startswith(("/", ".")):
        namespace, path = pair(text, "[NAMESPACE=]PATH")
    else:
        namespace, path = "", text
    if not path:
        raise argparse.ArgumentTypeError(f"'{text}' has no path; write [NAMESPACE=]PATH")
    return namespace, path


def add_port_options(group: argparse._ActionsContainer) -> None:
    """Add the options of addresses and ports of exposers."""
    group.add_argument(
        "--port", action="append", default=[], type=port_pair, metavar="NAMESPACE=PORT",
        help="port of an exposer, instead of the one in the document; 0 for any free port (repeatable)",
    )  # fmt: skip
    group.add_argument("--address", help="address to listen on (default: from the document, else loopback)")


def check_namespaces(options: argparse.Namespace, plans: Collection[Plan]) -> None:
    """Raise `UsageError` for an option that would have no effect, such as an override of an unknown namespace."""
    only = () if getattr(options, "mcp_endpoint", None) else options.only
    for option, values in (("--only", only), ("--overlay", overlays_of(options, ""))):
        if values and not any(plan.loaded.source.converted_from for plan in plans):
            raise UsageError(f"{option}: no OpenAPI document is among the files")
    exposers = {exposer_plan.exposer.config.namespace for plan in plans for exposer_plan in plan.exposers}
    consumers = {consumer.config.namespace for plan in plans for consumer in plan.consumers}
    for option, pairs, known in (
        ("--port", getattr(options, "port", ()), exposers),
        ("--public-url", getattr(options, "public_url", ()), exposers | {""}),
        ("--uds", getattr(options, "uds", ()), exposers | {""}),
        ("--openapi", options.openapi, consumers),
        ("--overlay", options.overlay, consumers | {""}),
    ):
        for namespace in (name for name, _ in pairs if name not in known):
            choices = ", ".join(sorted(known - {""})) or "none"
            raise UsageError(f"{option}: unknown namespace '{namespace}' (known: {choices})")
    addresses = (consumer.context.declared_address for plan in plans for consumer in plan.consumers)
    check_base_uris(options.base_uri, consumers, addresses)
    _check_unix_sockets(options, plans)
    configs = [exposer_plan.exposer.config for plan in plans for exposer_plan in plan.exposers]
    on_paths = {config.namespace for config in configs if getattr(config, "unix_socket", None) is not None}
    for namespace in (name for name, _ in getattr(options, "port", ()) if name in on_paths):
        raise UsageError(f"--port: '{namespace}' listens on a Unix socket; set 'port' in its document instead")
    on_both = dict(getattr(options, "port", ())).keys() & dict(getattr(options, "uds", ())).keys()
    for namespace in sorted(on_both):
        raise UsageError(f"--port and --uds: '{namespace}' cannot listen on both; remove one")


def check_base_uris(
    base_uris: Collection[tuple[str, str]], namespaces: Collection[str], addresses: Iterable[str | None]
) -> None:
    """Raise `UsageError` for a namespace or an origin that no consumed API has."""
    if not base_uris:
        return
    origins = {split_address(address)[0] for address in addresses if address} - {""}
    for key, _ in base_uris:
        kind, known = ("origin", origins) if is_origin(key) else ("namespace", {*namespaces, ALL})
        if key not in known:
            choices = ", ".join(sorted({*known} - {ALL})) or "none"
            raise UsageError(f"--base-uri: unknown {kind} '{key}' (known: {choices})")


def _check_unix_sockets(options: argparse.Namespace, plans: Collection[Plan]) -> None:
    """Raise `UsageError` for a path that no exposer listens on."""
    namespaces = dict(getattr(options, "uds", ())).keys()
    if "" in namespaces and not sharing_exposers(plans):
        raise UsageError("--uds applies to no exposer of these files; write --uds NAMESPACE=PATH")
    exposers = [exposer_plan.exposer for plan in plans for exposer_plan in plan.exposers]
    listening = {exposer.config.namespace for exposer in exposers if can_listen(exposer)}
    for namespace in sorted(namespaces - {"", *listening}):
        raise UsageError(f"--uds: '{namespace}' does not listen; remove the option")


def network(text: str) -> str:
    """Parse an IP address, or a network such as `10.0.0.0/8`."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not an IP address or network") from None


def seconds(text: str) -> float:
    """Parse a number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return value


def add_openapi_options(parser: argparse._ActionsContainer) -> None:
    """Add the options for OpenAPI documents."""
    parser.add_argument(
        "--openapi", action="append", default=[], type=_openapi_pair, metavar="NAMESPACE=FILE_OR_URL",
        help="OpenAPI document that completes the operations of a consumed API (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="TAG|ID",
        help="of an OpenAPI document in the place of a capability, only operations with this tag or operationId "
        "(repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--overlay", action="append", default=[], type=_overlay_pair, metavar="[NAMESPACE=]FILE",
        help="OpenAPI Overlay to apply to the OpenAPI document of a consumed API, or without NAMESPACE to those in the "
        "place of a capability (repeatable)",
    )  # fmt: skip


def _overlay_pair(text: str) -> tuple[str, str]:
    """Parse `FILE` or `NAMESPACE=FILE`; the namespace of the former is empty."""
    namespace, equals, file = text.partition("=")
    return (namespace, file) if equals and _NAMESPACE.fullmatch(namespace) else ("", text)


def overlays_of(options: argparse.Namespace, namespace: str) -> tuple[str, ...]:
    """Return the overlays of a consumed API's document, or with "" of those in the place of capabilities."""
    return tuple(file for name, file in options.overlay if name == namespace)


def openapi_settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """Return the settings from the options for OpenAPI documents."""
    namespaces = {name for name, _ in options.overlay if name}
    return {
        # With an MCP endpoint over everything, its entries are chosen instead.
        "only": () if getattr(options, "mcp_endpoint", None) else tuple(options.only),
        "overlays": overlays_of(options, ""),
        "openapi": dict(options.openapi),
        "openapi_overlays": {name: overlays_of(options, name) for name in namespaces},
    }


def _openapi_pair(text: str) -> tuple[str, str]:
    return pair(text, "NAMESPACE=FILE_OR_URL")


def add_base_uri_option(group: argparse._ActionsContainer) -> None:
    """Add the option for the addresses of consumed APIs."""
    group.add_argument(
        "--base-uri", action="append", default=[], type=base_uri_pair, metavar="API=URL",
        help="base URL of consumed APIs, instead of the one in the document; API is a namespace, an origin such as "
        "https://api.example.com, whose paths are kept, or * for all; zsh needs quotes: '*=URL' (repeatable)",
    )  # fmt: skip


def add_upstream_options(parser: argparse.ArgumentParser, *, mock: bool = True) -> None:
    """Add the options for consumed APIs, and that of mock servers with `mock`."""
    group = parser.add_argument_group("consumed APIs")
    add_base_uri_option(group)
    group.add_argument(
        "--env-file", metavar="FILE", help=".env file with secrets; environment variables take precedence"
    )
    if mock:
        group.add_argument("--mock", action="store_true", help="replace consumed APIs with a built-in mock server")
    group.add_argument(
        "--connect-timeout",
        type=seconds,
        default=5.0,
        metavar="SECONDS",
        help="timeout for connecting to an upstream, in seconds (default: 5)",
    )
    group.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="total timeout of an upstream call, in seconds (default: 60)",
    )


def add_format_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for text or JSON."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="output format (default: text)")


def add_skip_option(parser: argparse.ArgumentParser) -> None:
    """Add the option to leave out what is invalid."""
    parser.add_argument(
        "--skip-invalid", action="store_true", help="leave out invalid operations, exposers and files, with a warning"
    )


def build_settings(options: argparse.Namespace, **overrides: Any) -> Settings:
    """Return the settings from the options for consumed APIs, and from `overrides`."""
    return Settings(
        **openapi_settings(options),
        base_uris=dict(options.base_uri),
        mock=options.mock,
        environment=read_environment(options.env_file),
        connect_timeout=options.connect_timeout,
        total_timeout=options.timeout,
        plugins=setting_values(options),
        **overrides,
    )


def read_environment(env_file: str | None) -> Mapping[str, str]:
    """Return the environment variables, supplemented by those of a .env file."""
    if env_file is None:
        return os.environ
    if not Path(env_file).is_file():
        raise UsageError(f"--env-file: '{env_file}' does not exist")
    try:
        variables = dotenv_values(env_file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"--env-file: cannot read '{env_file}': {reason}") from error
    return {**{name: value for name, value in variables.items() if value is not None}, **os.environ}
