"""The output file of a command, which is not overwritten unless the user asks for it."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path

from adapter_host.cli import UsageError
from adapter_host.errors import AdapterHostError
from adapter_host.regular_files import replace_regular_file


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the output file."""
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="output file (default: standard output)")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the output file if it exists")


def check_output(options: argparse.Namespace, *, beside: str = "") -> None:
    """Raise `UsageError` if the output file exists and `--force` is not set.

    With `beside`, also for the file of that suffix beside it.
    """
    output: Path | None = options.output
    if output is None or options.force or is_device(output):
        return
    for path in (output, output.with_name(output.name + beside)):
        if path.exists() or path.is_symlink():
            raise _exists(path)


def write_output(text: str, options: argparse.Namespace) -> None:
    """Write to the output file, or to standard output; raise `UsageError` or `AdapterHostError`."""
    output: Path | None = options.output
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with output.open("w" if options.force or is_device(output) else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _exists(output) from error
    except OSError as error:
        raise AdapterHostError(f"cannot write '{output}': {error.strerror}") from error


def replace_file(path: Path, text: str) -> None:
    """Replace the content of a file at once, so that it is never half written; raise `AdapterHostError`."""
    target = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
        replace_regular_file(target, text.encode(), mode)
    except OSError as error:
        raise AdapterHostError(f"cannot write '{path}': {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def is_device(output: Path) -> bool:
    """Return whether a path is a device or a pipe, such as /dev/stdout, which has no content to lose."""
    return output.exists() and not output.is_file()


def _exists(path: Path) -> UsageError:
    return UsageError(f"'{path}' already exists; choose another file, or add --force")
