"""Options that several commands take, and the settings they make."""

from __future__ import annotations

import argparse
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from adapter_host.cli import UsageError
from adapter_host.settings import Settings


def pair(text: str, syntax: str = "NAME=VALUE") -> tuple[str, str]:
    """`NAME=VALUE` in two."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not {syntax}")
    return name, value


def port_pair(text: str) -> tuple[str, int]:
    """`NAMESPACE=PORT` in two."""
    name, value = pair(text, "NAMESPACE=PORT")
    if not value.isdecimal() or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"'{value}' is not a port (0 to 65535, 0 for any free one)")
    return name, int(value)


def base_uri_pair(text: str) -> tuple[str, str]:
    """`NAMESPACE=URL` in two."""
    name, value = pair(text, "NAMESPACE=URL")
    if not value.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"'{value}' is not an http or https URL")
    return name, value


def network(text: str) -> str:
    """Return an address, or a network as `10.0.0.0/8`."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not an address or a network") from None


def seconds(text: str) -> float:
    """Return a time in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return value


def add_upstream_options(parser: argparse.ArgumentParser) -> None:
    """Options about the consumed APIs."""
    parser.add_argument(
        "--base-uri",
        action="append",
        default=[],
        type=base_uri_pair,
        metavar="NAMESPACE=URL",
        help="call a consumed API elsewhere: staging, a stand-in (repeatable)",
    )
    parser.add_argument(
        "--env-file", metavar="FILE", help="a .env file of secrets; the environment's own variables win"
    )
    parser.add_argument("--mock", action="store_true", help="answer for the consumed APIs from inside the host")
    parser.add_argument(
        "--connect-timeout",
        type=seconds,
        default=5.0,
        metavar="SECONDS",
        help="to reach an upstream (default 5)",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="for a whole upstream call (default 60)",
    )


def build_settings(options: argparse.Namespace, **overrides: Any) -> Settings:
    """Return the settings that the upstream options ask for."""
    return Settings(
        base_uris=dict(options.base_uri),
        mock=options.mock,
        environment=read_environment(options.env_file),
        connect_timeout=options.connect_timeout,
        total_timeout=options.timeout,
        **overrides,
    )


def read_environment(env_file: str | None) -> Mapping[str, str]:
    """Return the process's environment, with what only the file has."""
    if env_file is None:
        return os.environ
    if not Path(env_file).is_file():
        raise UsageError(f"--env-file: there is no file '{env_file}'")
    try:
        variables = dotenv_values(env_file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"--env-file: cannot read '{env_file}': {reason}") from error
    return {**{name: value for name, value in variables.items() if value is not None}, **os.environ}
