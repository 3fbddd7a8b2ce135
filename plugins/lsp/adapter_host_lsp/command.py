"""`adapter-host lsp`: serve an editor over standard input and output."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import Final

from .server import build_server

DELAY: Final = 0.2
"""Seconds without a change after which a document is checked."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--delay", type=_seconds, default=DELAY, metavar="SECONDS",
        help=f"check a document after this time without a change (default: {DELAY})",
    )  # fmt: skip
    # Clients add it by themselves.
    parser.add_argument("--stdio", action="store_true", help="use standard input and output, which is the default")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 60:
        raise argparse.ArgumentTypeError(f"'{text}' is not between 0 and 60")
    return value


def run(options: argparse.Namespace) -> int:
    """Serve until the client ends the connection."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for error in options.plugins.failed:
        print(error, file=sys.stderr)
    # Only messages of the protocol are written to the standard output, whatever plugins print.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server = build_server(options.plugins, options.settings, options.delay)
    try:
        server.start_io(sys.stdin.buffer, output)
    finally:
        server.close()
    return 0
