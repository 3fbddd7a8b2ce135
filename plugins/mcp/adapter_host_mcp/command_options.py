"""The options of the commands `list` and `call-tool`."""

from __future__ import annotations

import argparse


def add_list_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `list`."""
    _add_server_options(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="output format (default: text)")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="short for --format json")


def add_call_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `call-tool`."""
    _add_server_options(parser)
    parser.add_argument("tool", metavar="TOOL", help="name of the tool")
    parser.add_argument(
        "arguments", nargs="*", metavar="key=value", type=_argument,
        help="argument of the tool, as text, or as JSON if the tool accepts no text (repeatable)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the complete result as JSON")


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "server", metavar="URL_OR_FILE", help="URL of an MCP server or of a REST exposer, or capability file"
    )
    parser.add_argument(
        "--header", action="append", default=[], type=_header, metavar="'NAME: VALUE'",
        help="header of requests to a URL, such as Authorization (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--ca", metavar="FILE", help="trust the PEM authorities in this file for an https URL, instead of the system's"
    )
    parser.add_argument(
        "--client-cert", metavar="FILE", help="PEM certificate and key to send to an https URL that requires one"
    )
    parser.add_argument("--mock", action="store_true", help="replace the consumed APIs of a file with a mock server")


def _argument(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not key=value")
    return name, value


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"'{text}' is not a header; write 'Name: value'")
    return name.strip(), value.strip()
