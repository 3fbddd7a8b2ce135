"""The command `adapter-host`. Imports `host` and below.

Exit codes: 0 success (also with warnings); 1 a document has problems, or a plugin or the start failed; 2 wrong usage;
3 the response to `call` is an error; 130 or 143 stopped immediately by a second Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from adapter_host.errors import AdapterHostError, PluginError, ProblemsError
from adapter_host.plugin.command import Command

from .output.escapes import escape
from .output.events import Event, announce, problem_event
from .parser import Parser
from .parser import UsageError as UsageError

COMMANDS = {
    "serve": "serve capabilities until stopped",
    "validate": "validate capabilities without starting a server",
    "lint": "check capabilities with rules for agents and access",
    "inspect": "show operations as clients see them, with their upstream requests",
    "call": "call one operation without a server",
    "discover": "write the definitions of consumed APIs that describe themselves",
    "init": "write a first capability, from nothing, an OpenAPI document or a curl command",
    "import": "create a capability from an OpenAPI document",
    "export": "create the document of an exposer for its clients (OpenAPI, ...)",
    "install": "add a capability to the configuration of an MCP client",
    "fmt": "format capability files",
    "schema": "write the JSON Schema of capability files, for editors",
    "completion": "print the completion script of a shell",
    "plugins": "list installed plugins, or create a new one",
}

# `import` is a keyword, so no module can have this name.
_MODULES = {"import": "import_", "serve": "serve.command", "lint": "lint.command"}


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
    command = _root_parser()
    with_traceback = "--traceback" in args
    try:
        if "_ARGCOMPLETE" in os.environ:
            _module("completion").complete(lambda words: _build_parser(words, _commands(words))[0])
        commands = _commands(args)
        parser, choices = _build_parser(args, commands)
        options, unknown = parser.parse_known_args(args)
        if options.version and not unknown:
            return int(_module("version").print_version(as_json=options.json))
        if options.command is None:
            parser.reject(unknown) if unknown else parser.error("COMMAND is missing")
        command = choices[options.command]
        if unknown:
            command.reject(unknown)
        return commands[options.command].run(options)
    except UsageError as error:
        command = error.parser or command
        print_error(error, command.prog)
        print(command.hint(), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _print_failure(error, with_traceback=with_traceback)


def _root_parser() -> Parser:
    parser = Parser(
        prog="adapter-host",
        description="Serve HTTP APIs as REST routes, MCP tools and skills, from YAML files (capabilities).",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--json", action="store_true", help="with --version: print all distributions as JSON")
    return parser


def _build_parser(args: Sequence[str], commands: Mapping[str, Command]) -> tuple[Parser, Mapping[str, Parser]]:
    """Return the parser, with the options of the requested command, and the parsers of commands."""
    parser = _root_parser()
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    is_help = not {"-h", "--help"}.isdisjoint(args)
    if is_help:
        parser.epilog = _module("examples").epilog("")
    for name, command in commands.items():
        description = command.summary[:1].upper() + command.summary[1:] + "."
        subparser = subparsers.add_parser(name, help=command.summary, description=description)
        if name in args[:1]:
            command.add_options(subparser)
            subparser.add_argument("--traceback", action="store_true", help="print the traceback of an error")
            subparser.epilog = _module("examples").epilog(name) if is_help else None
    return parser, subparsers.choices


def _commands(args: Sequence[str]) -> dict[str, Command]:
    """Return the commands by name: those of the host, and if none of them is requested, those of plugins."""
    commands = {name: _own_command(name, summary) for name, summary in COMMANDS.items()}
    if args and args[0] not in (*COMMANDS, "--version", "--json"):
        commands |= _module("plugin_commands").plugin_commands(args, COMMANDS)
    return commands


def _own_command(name: str, summary: str) -> Command:
    # Import only the requested command, to start fast.
    return Command(
        summary, lambda options: int(_module(name).run(options)), lambda parser: _module(name).add_options(parser)
    )


def _print_failure(error: Exception, *, with_traceback: bool) -> int:
    """Print why a command failed; raise the error if it is one of the host itself."""
    if with_traceback:
        traceback.print_exception(error)
    if isinstance(error, ProblemsError):
        print_problems(error)
        return 1
    if isinstance(error, AdapterHostError):
        print_error(error)
        cause = error.__cause__ if isinstance(error, PluginError) else None
    elif (plugin_error := _module("plugin_commands").blame(error)) is not None:
        print_error(plugin_error)
        cause = error
    else:
        raise error
    if cause is not None and not with_traceback:
        print("Run it again with --traceback to see where.", file=sys.stderr)
    return 1


def _module(command: str) -> Any:
    return import_module(f"adapter_host.cli.{_MODULES.get(command, command)}")


def print_error(error: AdapterHostError, program: str = "adapter-host") -> None:
    """Print an error of the command on one line."""
    announce(f"{program}: {escape(str(error))}", [Event(str(error), "error")])


def print_problems(error: ProblemsError) -> None:
    """Print problems once each, warnings last."""
    for problem in dict.fromkeys(sorted(error.problems, key=lambda problem: problem.warning)):
        announce(escape(str(problem)), [problem_event(problem)])
