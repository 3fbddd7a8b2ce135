"""`adapter-host plugins`: list installed plugins and failures; `plugins new`: create a plugin."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from adapter_host.plugin.api_version import API_VERSION
from adapter_host.plugin.manager import PluginInfo, Plugins

from .escapes import escape, to_json
from .options import add_format_option
from .scaffold import KINDS, write_plugin
from .table import table


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_format_option(parser)
    parser.set_defaults(action=_list)
    actions = parser.add_subparsers(metavar="ACTION", help="(default: list the plugins)")
    new = actions.add_parser("new", help="create a plugin", description="Create the package of a new plugin.")
    new.add_argument(
        "name", metavar="NAME", help="name of the plugin and its type; the distribution is named adapter-host-NAME"
    )
    new.add_argument("--kind", choices=tuple(KINDS), required=True, help="kind of plugin (required)")
    new.add_argument("--into", metavar="DIR", type=Path, help="folder to create (default: ./NAME)")
    new.set_defaults(action=_create)


WRAPPERS: Final = ("consumer_wrapper", "operation_wrapper")
"""The hooks whose order matters."""


def run(options: argparse.Namespace) -> int:
    """List the plugins, or create a new one."""
    action: Callable[[argparse.Namespace], int] = options.action
    return action(options)


def _create(options: argparse.Namespace) -> int:
    folder = options.into or Path(options.name)
    name = escape(str(folder))
    for path in write_plugin(options.name, options.kind, folder):
        print(escape(str(path)))
    print(f"next: pip install --editable '{name}[dev]'; adapter-host plugins; cd {name}; pytest", file=sys.stderr)
    return 0


def _list(options: argparse.Namespace) -> int:
    """List the plugins; return 1 if one failed."""
    plugins = Plugins.installed()
    if options.format == "json":
        listing = {
            "api": API_VERSION,
            "plugins": [asdict(info) for info in plugins.registered],
            "order": {hook: plugins.hook_order(hook) for hook in WRAPPERS},
            "failed": [str(error) for error in plugins.failed],
            "disabled": plugins.disabled,
        }
        print(to_json(listing, indent=True))
    else:
        print(table(("plugin", "distribution", "version", "types", "hooks"), map(_row, plugins.registered)))
        for hook in WRAPPERS:
            if len(order := plugins.hook_order(hook)) > 1:
                print(f"{hook}, outermost first: {escape(', '.join(order))}")
        for name in plugins.disabled:
            print(f"disabled: {escape(name)}")
        for error in plugins.failed:
            print(f"failed: {escape(str(error))}", file=sys.stderr)
    return 1 if plugins.failed else 0


def _row(info: PluginInfo) -> tuple[str, ...]:
    types = [f"exposes {name}" for name in info.exposers] + [f"consumes {name}" for name in info.consumers]
    types += [f"binds {scheme}" for scheme in info.bind_sources]
    types += [f"step {name}" for name in info.step_types]
    return (
        info.name,
        info.distribution or "-",
        info.version or "-",
        ", ".join(types) or "-",
        ", ".join(info.hooks) or "-",
    )
