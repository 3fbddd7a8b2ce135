"""`adapter-host plugins`: what is installed, and what failed to load."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

import orjson

from adapter_host.plugins import PluginInfo, Plugins

from .text import table


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """List the plugins; 1 when one failed."""
    plugins = Plugins.installed()
    if options.format == "json":
        listing = {
            "plugins": [asdict(info) for info in plugins.taken],
            "failed": [str(error) for error in plugins.failed],
            "disabled": plugins.disabled,
        }
        print(orjson.dumps(listing, option=orjson.OPT_INDENT_2).decode())
    else:
        print(table(("plugin", "distribution", "version", "types", "hooks"), map(_row, plugins.taken)))
        for name in plugins.disabled:
            print(f"disabled: {name}")
        for error in plugins.failed:
            print(f"failed: {error}", file=sys.stderr)
    return 1 if plugins.failed else 0


def _row(info: PluginInfo) -> tuple[str, ...]:
    types = [f"exposes {type}" for type in info.exposers] + [f"consumes {type}" for type in info.consumers]
    return (
        info.name,
        info.distribution or "-",
        info.version or "-",
        ", ".join(types) or "-",
        ", ".join(info.hooks) or "-",
    )
