"""Exposer for the Model Context Protocol (`type: mcp`), and commands that use servers of it."""

import argparse

from adapter_host import Command, RegisterCommand, RegisterExposer, hookimpl

from .exposer import McpExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    register("mcp", McpExposer)


@hookimpl
def register_commands(register: RegisterCommand) -> None:
    """Register commands; the client is imported only to run them."""
    register("list", Command("list the tools of a server or a file", _run_list, _add_list_options))
    register("call-tool", Command("call a tool of a server or a file", _run_call, _add_call_options))


def _add_list_options(parser: argparse.ArgumentParser) -> None:
    from .command_options import add_list_options

    add_list_options(parser)


def _add_call_options(parser: argparse.ArgumentParser) -> None:
    from .command_options import add_call_options

    add_call_options(parser)


def _run_list(options: argparse.Namespace) -> int:
    from .commands import run_list

    return run_list(options)


def _run_call(options: argparse.Namespace) -> int:
    from .commands import run_call

    return run_call(options)
