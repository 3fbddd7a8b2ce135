"""How a value breaks a schema."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

Path = tuple[str | int, ...]

MAX_VIOLATIONS: Final = 10
"""The violations that are named of one value."""


@dataclass(frozen=True, slots=True)
class Violation:
    """How a value breaks its schema: the place in the value, and the rest of a sentence about it.

    `types` are those of a place that has a value of another type, `discriminates` means that a fixed value differs.
    """

    path: Path
    message: str
    types: frozenset[str] = frozenset()
    discriminates: bool = False

    def below(self, key: str | int) -> Violation:
        """Return the violation of the value that has this one at `key`."""
        return replace(self, path=(key, *self.path))


class Validator(Protocol):
    """A compiled schema."""

    def __call__(self, value: Any, most: int = MAX_VIOLATIONS) -> list[Violation]:
        """Return how a value breaks the schema, up to `most` violations: an empty list if it does not."""
        ...
