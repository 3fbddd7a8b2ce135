"""Errors and warnings of a document, collected during compilation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapter_host.errors import SKIPPED, Problem


@dataclass(slots=True)
class Section:
    """A part of a compilation: `failed` if it has errors, `skipped` if they were turned into warnings.

    `error` is the first of them.
    """

    failed: bool = False
    skipped: bool = False
    error: Problem | None = None


class Diagnostics:
    """The errors and warnings of one document, without duplicates, in order of discovery."""

    __slots__ = ("_problems", "_sections")

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._problems: dict[Problem, Problem] = {problem: problem for problem in problems}
        self._sections: list[tuple[Section, bool]] = []

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Errors and warnings."""
        return tuple(self._problems.values())

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that prevent the capability from running."""
        return tuple(problem for problem in self._problems.values() if not problem.warning)

    @property
    def skipped(self) -> tuple[Problem, ...]:
        """The warnings for everything that is left out."""
        return tuple(problem for problem in self.problems if problem.warning and problem.message.startswith(SKIPPED))

    def add(self, *problems: Problem) -> None:
        """Add problems, except duplicates; an error also fails the open sections."""
        for problem in problems:
            skipped = not problem.warning and self._fail_sections(problem)
            self._problems.setdefault(problem, problem.as_skipped if skipped else problem)

    def _fail_sections(self, error: Problem) -> bool:
        """Mark sections for an error, from the innermost to one that is skipped; return whether one is."""
        for section, skip in reversed(self._sections):
            section.failed, section.skipped = True, skip
            section.error = section.error or error
            if skip:
                return True
        return False

    @contextmanager
    def demote_errors(self, skip: bool) -> Iterator[Section]:
        """Detect errors in a part of a compilation; with `skip`, turn them into warnings.

        An error that is known already counts again: two parts can have the same one.
        """
        section = Section()
        self._sections.append((section, skip))
        try:
            yield section
        finally:
            self._sections.pop()
