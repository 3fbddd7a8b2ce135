"""`adapter-host plugins`: list plugins and failures; `show` a type; `new`: create a plugin."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from adapter_host.cli import UsageError
from adapter_host.plugin.loading.api_version import API_VERSION
from adapter_host.plugin.loading.manager import PluginInfo, Plugins

from .options.plugins import add_plugin_options, build_plugins
from .options.shared import add_format_option
from .output.escapes import escape, to_json
from .output.table import table
from .plugin_details import describe_type, find_type, type_lines
from .scaffold import KINDS, write_plugin


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_format_option(parser)
    add_plugin_options(parser)
    parser.set_defaults(action=_list)
    actions = parser.add_subparsers(metavar="ACTION", help="(default: list the plugins)")
    show = actions.add_parser(
        "show", help="show a type", description="Show a type of a plugin: its keys and its schema."
    )
    show.add_argument("type", metavar="TYPE", help="type such as rest or exposes.rest, or a plugin with settings")
    show.add_argument(
        "--format", choices=("text", "json"), default=argparse.SUPPRESS, help="output format (default: text)"
    )
    show.set_defaults(action=_show)
    new = actions.add_parser("new", help="create a plugin", description="Create the package of a new plugin.")
    new.add_argument(
        "name", metavar="NAME", help="name of the plugin and its type; the distribution is named adapter-host-NAME"
    )
    new.add_argument("--kind", choices=tuple(KINDS), required=True, help="kind of plugin (required)")
    new.add_argument("--into", metavar="DIR", type=Path, help="folder to create (default: ./NAME)")
    new.set_defaults(action=_create)
    for action in (show, new):
        # The command has the option too, whose default must not replace it.
        action.add_argument(
            "--traceback", action="store_true", default=argparse.SUPPRESS, help="print the traceback of an error"
        )


WRAPPERS: Final = ("consumer_wrapper", "operation_wrapper")
"""The hooks whose order matters."""


def run(options: argparse.Namespace) -> int:
    """List the plugins, show a type, or create a new plugin."""
    action: Callable[[argparse.Namespace], int] = options.action
    return action(options)


def _create(options: argparse.Namespace) -> int:
    folder = options.into or Path(options.name)
    name = escape(str(folder))
    for path in write_plugin(options.name, options.kind, folder):
        print(escape(str(path)))
    print(f"next: pip install --editable '{name}[dev]'; adapter-host plugins; cd {name}; pytest", file=sys.stderr)
    return 0


def _show(options: argparse.Namespace) -> int:
    plugins = build_plugins(options)
    plugins.load_all()
    try:
        found = find_type(options.type, plugins)
    except UsageError:
        # It may be a type of a plugin that failed.
        _print_failed(plugins, with_traceback=options.traceback)
        raise
    described = describe_type(*found, plugins)
    print(
        to_json(described, indent=True)
        if options.format == "json"
        else escape("\n".join(type_lines(described)), keep="\n")
    )
    return 0


def _list(options: argparse.Namespace) -> int:
    """List the plugins; return 1 if one failed."""
    plugins = build_plugins(options)
    plugins.load_all()
    registered = sorted(plugins.registered, key=lambda info: info.name)
    if options.format == "json":
        listing = {
            "api": API_VERSION,
            "plugins": [_listing(info) for info in registered],
            "order": {hook: plugins.hook_order(hook) for hook in WRAPPERS},
            "failed": [str(error) for error in plugins.failed],
            "disabled": plugins.disabled,
        }
        print(to_json(listing, indent=True))
    else:
        print(table(("plugin", "distribution", "version", "types", "hooks"), map(_row, registered)))
        for hook in WRAPPERS:
            if len(order := plugins.hook_order(hook)) > 1:
                print(f"{hook}, outermost first: {escape(', '.join(order))}")
        for name in plugins.disabled:
            print(f"disabled: {escape(name)}")
        _print_failed(plugins, with_traceback=options.traceback)
    return 1 if plugins.failed else 0


def _print_failed(plugins: Plugins, *, with_traceback: bool) -> None:
    for error in plugins.failed:
        if with_traceback:
            traceback.print_exception(error)
        print(f"failed: {escape(str(error))}", file=sys.stderr)


def _listing(info: PluginInfo) -> dict[str, Any]:
    settings = info.settings and f"{info.settings.__module__}.{info.settings.__qualname__}"
    return {**asdict(replace(info, settings=None)), "settings": settings}


def _row(info: PluginInfo) -> tuple[str, ...]:
    types = [f"exposes {name}" for name in info.exposers] + [f"consumes {name}" for name in info.consumers]
    types += [f"binds {scheme}" for scheme in info.bind_sources]
    types += [f"step {name}" for name in info.step_types]
    types += [f"state {scheme}" for scheme in info.state_stores]
    types += [f"command {name}" for name in info.commands]
    return (
        info.name,
        info.distribution or "-",
        info.version or "-",
        ", ".join(types) or "-",
        ", ".join(info.hooks) or "-",
    )
