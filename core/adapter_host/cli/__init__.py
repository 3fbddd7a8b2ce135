"""The command `adapter-host`. Imports `host` and below.

Exit codes: 0 success (also with warnings); 1 a document has problems, or a plugin or the start failed; 2 wrong usage;
3 the response to `call` is an error; 130 or 143 stopped immediately by a second Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

from adapter_host.errors import AdapterHostError, ProblemsError

from .escapes import escape
from .parser import Parser
from .parser import UsageError as UsageError

COMMANDS = {
    "serve": "serve capabilities until stopped",
    "validate": "validate capabilities without starting a server",
    "inspect": "show operations as clients see them, with their upstream requests",
    "call": "call one operation without a server",
    "discover": "write the definitions of consumed APIs that describe themselves",
    "import": "create a capability from an OpenAPI document",
    "export": "create the OpenAPI document of an exposer",
    "plugins": "list installed plugins, or create a new one",
}

# `import` is a keyword, so no module can have this name.
_MODULES = {"import": "import_", "serve": "serve.command"}


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

GC_WHILE_LOADING = (100_000, 50, 50)
"""Garbage collector thresholds while loading, when almost nothing becomes garbage."""

GC_WHILE_SERVING = (10_000, 10, 10)
"""Garbage collector thresholds while serving, for the garbage of requests and reloads."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        try:
            return _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            if sys.stdout is not None:
                # Later, an error of writing it could not be reported.
                sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has exited.
        _discard_output()
        return 1
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        _discard_output()
        print_error(AdapterHostError(f"cannot write the output: {error.strerror}"))
        return 1


def _discard_output() -> None:
    """Discard what is still buffered, or the interpreter would fail to write it at its exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _run(args: Sequence[str]) -> int:
    # Imported modules and compiled plans stay. Collecting them repeatedly would take a quarter of the start-up time.
    gc.set_threshold(*GC_WHILE_LOADING)
    parser = Parser(
        prog="adapter-host",
        description="Serve HTTP APIs as REST routes, MCP tools and skills, from YAML files (capabilities).",
    )
    version = metadata.version("adapter-host-core")
    parser.add_argument("--version", action="version", version=f"adapter-host {version}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name in args[:1]:
            # Import only the requested command, to start fast.
            _module(name).add_options(subparser)
    command = parser
    try:
        options, unknown = parser.parse_known_args(args)
        if options.command is None:
            parser.reject(unknown) if unknown else parser.error("COMMAND is missing")
        command = commands.choices[options.command]
        if unknown:
            command.reject(unknown)
        return int(_module(options.command).run(options))
    except UsageError as error:
        command = error.parser or command
        print_error(error, command.prog)
        print(command.hint(), file=sys.stderr)
        return 2
    except ProblemsError as error:
        print_problems(error)
        return 1
    except AdapterHostError as error:
        print_error(error)
        return 1
    except KeyboardInterrupt:
        return 130


def _module(command: str) -> Any:
    return import_module(f"adapter_host.cli.{_MODULES.get(command, command)}")


def print_error(error: AdapterHostError, program: str = "adapter-host") -> None:
    """Print an error of the command on one line."""
    print(f"{program}: {escape(str(error))}", file=sys.stderr)


def print_problems(error: ProblemsError) -> None:
    """Print problems once each, warnings last."""
    for problem in dict.fromkeys(sorted(error.problems, key=lambda problem: problem.warning)):
        print(escape(str(problem)), file=sys.stderr)
