"""The bound of generated samples: schemas may refer to each other, and multiply."""

from __future__ import annotations

from typing import Final

MAX_VALUES: Final = 100
"""The most values that are generated for one sample; the others are left out."""


class SampleBudget:
    """Counts the values of one sample; `depth` is the most levels of values within one another."""

    def __init__(self, depth: int) -> None:
        self.spent = 0
        self._depth = depth

    @property
    def is_spent(self) -> bool:
        """Whether the sample can have no further value."""
        return self.spent >= MAX_VALUES

    def take(self, depth: int, values: int = 1) -> bool:
        """Count values at a depth; return whether the sample can have them."""
        if depth > self._depth or self.spent + values > MAX_VALUES:
            return False
        self.spent += values
        return True
