"""`adapter-host import openapi`: create a capability from an OpenAPI document."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from adapter_host.cli import UsageError
from adapter_host.openapi import Documents, WarningCollector, read_api, write_capability
from adapter_host.openapi.source.reading import is_url

from .escapes import escape
from .output_file import add_output_options, check_output, write_output


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("format", choices=("openapi",), help="input format")
    parser.add_argument(
        "source", metavar="SRC", help="OpenAPI document: a JSON or YAML file, or a URL with --allow-remote"
    )
    add_output_options(parser)
    parser.add_argument(
        "--only", action="append", default=[], metavar="TAG|ID",
        help="import only operations with this tag or operationId (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--namespace", metavar="NAME", type=namespace, help="namespace of the API (default: made from its title)"
    )
    parser.add_argument("--allow-remote", action="store_true", help="fetch SRC if it is a URL, and remote references")


def namespace(text: str) -> str:
    """Return a namespace; raise `ArgumentTypeError` if it is invalid."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a valid namespace; use letters, digits and '-'")
    return text


def run(options: argparse.Namespace) -> int:
    """Write the capability; report everything that it cannot express on standard error."""
    if is_url(options.source) and not options.allow_remote:
        raise UsageError("SRC is a URL; add --allow-remote to fetch it")
    check_output(options)
    warnings = WarningCollector()
    root = Documents(warnings, remote=options.allow_remote).open(options.source)
    try:
        api = read_api(root, only=options.only, namespace=options.namespace)
    finally:
        for problem in warnings.problems:
            print(escape(str(problem)), file=sys.stderr)
    text = write_capability(api, _name(options.source))
    write_output(text, options)
    return 0


def _name(source: str) -> str:
    return PurePosixPath(urlsplit(source).path).name or source if is_url(source) else Path(source).name
