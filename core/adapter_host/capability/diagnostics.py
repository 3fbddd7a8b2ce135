"""What is wrong with a document, collected while it is compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from adapter_host.errors import Problem


@dataclass(slots=True)
class Section:
    """A part of a compilation: `failed` says that errors were found in it, `skipped` that they became warnings."""

    failed: bool = False
    skipped: bool = False


class Diagnostics:
    """The problems of one document, errors and warnings, each once and in the order of their discovery."""

    __slots__ = ("_problems",)

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._problems = list(problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Errors and warnings."""
        return tuple(self._problems)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the capability from running."""
        return tuple(problem for problem in self._problems if not problem.warning)

    def add(self, *problems: Problem) -> None:
        """Add problems; one that is known already is left out."""
        for problem in problems:
            if problem not in self._problems:
                self._problems.append(problem)

    @contextmanager
    def demote_errors(self, skip: bool) -> Iterator[Section]:
        """Note whether a part of a compilation fails; with `skip`, turn its errors into warnings and go on without it.

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
