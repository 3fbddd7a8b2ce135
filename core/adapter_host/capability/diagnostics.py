"""Errors and warnings of a document, collected during compilation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from adapter_host.errors import Problem


@dataclass(slots=True)
class Section:
    """A part of a compilation: `failed` if it has errors, `skipped` if they were turned into warnings."""

    failed: bool = False
    skipped: bool = False


class Diagnostics:
    """The errors and warnings of one document, without duplicates, in order of discovery."""

    __slots__ = ("_problems",)

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._problems = list(problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Errors and warnings."""
        return tuple(self._problems)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that prevent the capability from running."""
        return tuple(problem for problem in self._problems if not problem.warning)

    def add(self, *problems: Problem) -> None:
        """Add problems, except duplicates."""
        for problem in problems:
            if problem not in self._problems:
                self._problems.append(problem)

    @contextmanager
    def demote_errors(self, skip: bool) -> Iterator[Section]:
        """Detect errors in a part of a compilation; with `skip`, turn them into warnings.

        The section's fields are set when the block ends.
        """
        section = Section()
        before = len(self._problems)
        yield section
        for index in range(before, len(self._problems)):
            problem = self._problems[index]
            if not problem.warning:
                section.failed = True
                section.skipped = skip
                if skip:
                    self._problems[index] = replace(problem, message=f"skipped: {problem.message}", warning=True)
