"""A language server for capability files: problems, completion, definitions, and the requests of tools."""

import argparse

from adapter_host import Command, RegisterCommand, hookimpl

requires_api = "1.0"


@hookimpl
def register_commands(register: RegisterCommand) -> None:
    """Register the command; the server is imported only to run it."""
    register("lsp", Command("serve an editor as a language server of capability files", _run, _add_options))


def _add_options(parser: argparse.ArgumentParser) -> None:
    from .command import add_options

    add_options(parser)


def _run(options: argparse.Namespace) -> int:
    from .command import run

    return run(options)
