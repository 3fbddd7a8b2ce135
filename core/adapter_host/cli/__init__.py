"""The command `adapter-host`. Imports `host` and below.

Exit codes: 0 done (warnings included); 1 a document's problems, a plugin that failed, or a start that failed;
2 wrong usage; 3 `call` was answered with an error; 130 or 143 stopped at once by a second Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

from adapter_host.errors import AdapterHostError, ProblemsError

COMMANDS = {
    "serve": "serve capabilities until stopped",
    "validate": "say what is wrong with capabilities, without starting anything",
    "inspect": "show what callers will see, and the upstream request of each operation",
    "call": "call one operation, without a server",
    "import": "write a capability from an OpenAPI document",
    "export": "write the OpenAPI document of what a capability exposes",
    "plugins": "list the plugins and what failed to load",
}

# `import` is a word of Python's, which no module can have for its name in a statement.
_MODULES = {"import": "import_", "serve": "serve.command"}


GC_WHILE_LOADING = (100_000, 50, 50)
"""When garbage is looked for while all that comes to be is kept: hardly ever."""

GC_WHILE_SERVING = (10_000, 10, 10)
"""When it is looked for while serving: what requests leave behind, and what a reload has replaced."""


class UsageError(AdapterHostError):
    """The command was not called rightly."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    # What is imported and compiled stays: to look through all of it for garbage, again and again as it grows, takes
    # a quarter of a start.
    gc.set_threshold(*GC_WHILE_LOADING)
    parser = argparse.ArgumentParser(
        prog="adapter-host", description="One declaration of an HTTP API, served over several protocols."
    )
    version = metadata.version("adapter-host-core")
    parser.add_argument("--version", action="version", version=f"adapter-host {version}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    args = list(sys.argv[1:] if arguments is None else arguments)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name in args[:1]:
            # Only the command that is asked for is imported: each brings what it needs and no more.
            _module(name).add_options(command)
    options = parser.parse_args(args)
    try:
        return int(_module(options.command).run(options))
    except UsageError as error:
        commands.choices[options.command].print_usage(sys.stderr)
        print(f"adapter-host: {error}", file=sys.stderr)
        return 2
    except ProblemsError as error:
        print_problems(error)
        return 1
    except AdapterHostError as error:
        print(f"adapter-host: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; what is left of it has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _module(command: str) -> Any:
    return import_module(f"adapter_host.cli.{_MODULES.get(command, command)}")


def print_problems(error: ProblemsError) -> None:
    """Print problems, each once, warnings last."""
    for problem in dict.fromkeys(sorted(error.problems, key=lambda problem: problem.warning)):
        print(problem, file=sys.stderr)
