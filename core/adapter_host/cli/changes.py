"""Changes of capability files by commands: found, shown as a diff, and written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from adapter_host.compiler.loading.loader import find_documents
from adapter_host.document.messages import count_noun
from adapter_host.document.source import MAX_BYTES, Source
from adapter_host.editing.check import Check
from adapter_host.editing.fixes import fixed_text
from adapter_host.errors import AdapterHostError, Problem
from adapter_host.regular_files import read_regular_file

from .output.escapes import escape
from .output.output_file import replace_file


@dataclass(frozen=True, slots=True)
class Change:
    """A file with its text, and the text that replaces it; `fixed` is the number of problems that it removes."""

    file: str
    before: str
    after: str
    fixed: int = 0


def read_text(file: str) -> str:
    """Return the text of a file with its line breaks; raise `AdapterHostError`."""
    try:
        return read_regular_file(file, MAX_BYTES + 1).decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise AdapterHostError(f"cannot read '{file}': {reason}") from error


def find_changes(
    problems: Iterable[Problem], files: Collection[str], check: Callable[[str, str], Check]
) -> list[Change]:
    """Return the changes that remove the problems with a fix from files; imported files are not changed.

    `check` returns the check of a text of a file.
    """
    by_file: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.file in files:
            by_file.setdefault(problem.file, []).append(problem)
    changes = []
    for file, found in by_file.items():
        text = read_text(file)
        bare = text.removeprefix("\ufeff")
        fixed, count = fixed_text(bare, file, found)
        if fixed != bare and _is_sound(file, found, check(fixed, file)):
            mark = "\ufeff" if text != bare else ""
            changes.append(Change(file, text, mark + fixed, count))
    return changes


def _is_sound(file: str, problems: Sequence[Problem], check: Check) -> bool:
    """Return whether a fixed text has no problem that the file does not have; print a message otherwise."""
    known = {(problem.code, problem.message) for problem in problems}
    found = (problem for problem in check.problems if problem.file == file)
    new = next((problem for problem in found if (problem.code, problem.message) not in known), None)
    if new is not None:
        print(escape(f"{file}: not changed, because the fixes would lead to: {new.message}"), file=sys.stderr)
    return new is None


def print_diff(changes: Iterable[Change]) -> bool:
    """Print changes as a unified diff; return whether there are any."""
    found = False
    for change in changes:
        found = True
        lines = unified_diff(
            change.before.splitlines(keepends=True),
            change.after.splitlines(keepends=True),
            change.file,
            change.file,
        )
        for line in lines:
            print(escape(line.rstrip("\r\n")))
    return found


def write_fixes(changes: Sequence[Change]) -> None:
    """Write the changes of fixes, and print how many problems they remove; raise `AdapterHostError`."""
    replace_texts(changes)
    fixed = sum(change.fixed for change in changes)
    print(f"fixed {count_noun(fixed, 'problem')} in {count_noun(len(changes), 'file')}", file=sys.stderr)


def replace_texts(changes: Iterable[Change]) -> None:
    """Write changes, each at once; raise `AdapterHostError`."""
    for change in changes:
        replace_file(Path(change.file), change.after)


def named_files(paths: Iterable[str]) -> list[str]:
    """Return the files at paths: those that are named, and the capabilities in folders."""
    return [file.file if isinstance(file, Source) else str(file) for file in find_documents([*paths])]
