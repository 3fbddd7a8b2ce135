"""`adapter-host completion`: write the completion script of a shell."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from adapter_host.cli import UsageError

SHELLS = ("bash", "zsh", "fish")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"shell: {', '.join(SHELLS)}")


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    print(_argcomplete().shellcode(["adapter-host"], shell=options.shell), end="")
    return 0


def requested_words() -> list[str]:
    """Return the words of the line that a shell completes, without the command."""
    line = os.environ.get("COMP_LINE", "")
    try:
        return shlex.split(line)[1:]
    except ValueError:
        # The word that is being written may have an open quotation mark.
        return line.split()[1:]


def complete(build_parser: Callable[[list[str]], argparse.ArgumentParser]) -> None:
    """Write the completions for the shell and exit, if the shell asks for them and the package is installed."""
    if find_spec("argcomplete") is not None:
        _argcomplete().autocomplete(build_parser(requested_words()))


def _argcomplete() -> Any:
    if find_spec("argcomplete") is None:
        raise UsageError("completion needs the package argcomplete; pip install 'adapter-host-core[completion]'")
    return import_module("argcomplete")
