"""The commands of plugins."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator, Sequence

from adapter_host.cli import print_error
from adapter_host.errors import PluginError
from adapter_host.plugin.command import Command
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.plugin.loading.origins import blame as blame
from adapter_host.settings import Settings

from .options.plugins import add_plugin_options, build_plugins, setting_values
from .parser import Parser


def plugin_commands(args: Sequence[str], own: Collection[str]) -> dict[str, Command]:
    """Return the commands of plugins by name; those with the name of one of the host's `own` are left out.

    If one is requested, only its plugin is imported, of those that declare their commands.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    add_plugin_options(parser)
    plugins = build_plugins(parser.parse_known_args(args)[0])
    requested = [args[0]] if args[0] in plugins.commands else list(plugins.commands)
    commands = {}
    for name in requested:
        if name in own:
            print_error(PluginError(f"command '{name}' of a plugin is ignored; the host has one with this name"))
        elif (command := plugins.commands.get(name)) is not None:
            commands[name] = _with_plugins(command, plugins)
    if args[0] not in commands:
        for error in _failures(plugins, args[0]):
            print_error(error)
    return commands


def _failures(plugins: Plugins, requested: str) -> Iterator[PluginError]:
    """Yield why the requested command may be missing; nothing for an option such as `--help`."""
    if not requested.startswith("-"):
        yield from plugins.failed


def _with_plugins(command: Command, plugins: Plugins) -> Command:
    """Return a command with the options of plugins, that receives `plugins` and `settings` with its options."""

    def add_options(parser: argparse.ArgumentParser) -> None:
        command.add_options(parser)
        add_plugin_options(parser)

    def run(options: argparse.Namespace) -> int:
        options.plugins, options.settings = plugins, Settings(plugins=setting_values(options))
        code = command.run(options)
        sys.stdout.flush()
        return int(code or 0)

    return Command(command.summary, run, add_options)
