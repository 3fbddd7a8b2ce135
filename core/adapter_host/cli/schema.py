"""`adapter-host schema`: write the JSON Schema of the language."""

from __future__ import annotations

import argparse

from adapter_host.cli import print_error
from adapter_host.compiler.language_schema.document import language_schema

from .options.plugins import add_plugin_options, build_plugins
from .output.escapes import to_json
from .output.output_file import add_output_options, check_output, write_output


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_output_options(parser)
    add_plugin_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the schema."""
    check_output(options)
    plugins = build_plugins(options)
    schema = language_schema(plugins)
    for error in plugins.failed:
        print_error(error)
    write_output(to_json(schema, indent=True) + "\n", options)
    return 1 if plugins.failed else 0
