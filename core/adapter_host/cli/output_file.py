"""The output file of a command, which is not overwritten unless the user asks for it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from adapter_host.cli import UsageError
from adapter_host.errors import AdapterHostError


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the output file."""
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="output file (default: standard output)")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the output file if it exists")


def check_output(options: argparse.Namespace) -> None:
    """Raise `UsageError` if the output file exists and `--force` is not set."""
    output: Path | None = options.output
    if output is None or options.force or _is_device(output):
        return
    if output.exists() or output.is_symlink():
        raise _exists(options)


def write_output(text: str, options: argparse.Namespace) -> None:
    """Write to the output file, or to standard output; raise `UsageError` or `AdapterHostError`."""
    output: Path | None = options.output
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with output.open("w" if options.force or _is_device(output) else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _exists(options) from error
    except OSError as error:
        raise AdapterHostError(f"cannot write '{output}': {error.strerror}") from error


def _is_device(output: Path) -> bool:
    """Return whether a path is a device or a pipe, such as /dev/stdout, which has no content to lose."""
    return output.exists() and not output.is_file()


def _exists(options: argparse.Namespace) -> UsageError:
    return UsageError(f"'{options.output}' already exists; choose another file, or add --force")
