"""`adapter-host fmt`: format capability files."""

from __future__ import annotations

import argparse
import sys

from adapter_host.document.messages import count_noun
from adapter_host.document.text.formatting import formatted
from adapter_host.errors import ProblemsError

from .changes import Change, named_files, print_diff, read_text, replace_texts
from .output.escapes import escape


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "paths", nargs="+", metavar="FILE_OR_DIR", help="YAML file, or directory of capabilities (repeatable)"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="name the files that would change, and write nothing; the exit code is 1 then",
    )
    parser.add_argument("--diff", action="store_true", help="show the changes as a diff; else as --check")


def run(options: argparse.Namespace) -> int:
    """Format; return 1 if a file is not valid, or if one would change and nothing is written."""
    changes, failed = [], 0
    for file in named_files(options.paths):
        text = read_text(file)
        try:
            changed = formatted(text, file)
        except ProblemsError as error:
            failed += 1
            for problem in error.problems:
                print(escape(str(problem)), file=sys.stderr)
        else:
            changes += [Change(file, text, changed)] if changed != text else []
    only_shows = options.check or options.diff
    if options.diff:
        print_diff(changes)
    elif options.check:
        for change in changes:
            print(escape(change.file))
    else:
        replace_texts(changes)
    verb = "would be formatted" if only_shows else "formatted"
    print(f"{count_noun(len(changes), 'file')} {verb}", file=sys.stderr)
    return 1 if failed or (only_shows and changes) else 0
