"""Comments in capability files that disable rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from .rules import Finding

_COMMENT: Final = re.compile(r"#\s*lint-disable(-file)?:\s*([a-z, -]+)")


@dataclass
class _Comments:
    """The comments of one file: rules by line, and those of the whole file."""

    file: str
    in_file: set[str] = field(default_factory=set)

    @cached_property
    def by_line(self) -> dict[int, set[str]]:
        """The rules that are disabled at a line, by a comment in it or in the line before it."""
        found: dict[int, set[str]] = {}
        try:
            text = Path(self.file).read_text(encoding="utf-8-sig")
        except (OSError, ValueError):
            # A document that is no file, or a file that has changed since it was loaded, has no comments.
            return found
        for number, line in enumerate(text.splitlines(), 1):
            if (match := _COMMENT.search(line)) is None:
                continue
            rules = {rule.strip() for rule in match[2].split(",")}
            if match[1]:
                self.in_file |= rules
            else:
                found.setdefault(number + (not line[: match.start()].strip()), set()).update(rules)
        return found

    def disable(self, rule: str, lines: Iterable[int]) -> bool:
        """Return whether a rule is disabled in the file, or at one of the lines."""
        by_line = self.by_line
        return rule in self.in_file or any(rule in by_line.get(line, ()) for line in lines)


def mark_suppressed(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, marked where a comment in their file disables their rule.

    A comment counts at the place itself, and at the beginning of each section that contains it: a tool, an exposer.
    """
    files: dict[str, _Comments] = {}
    marked = []
    for finding in findings:
        file = finding.position[0]
        comments = files.setdefault(file, _Comments(file))
        lines = [line for name, line, _ in (finding.position, *finding.enclosing) if name == file]
        marked.append(replace(finding, is_suppressed=comments.disable(finding.rule.id, lines)))
    return marked
