"""A fuzzer of one check, whose examples depend on the seed only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis.strategies import SearchStrategy

from .run import Fuzzer

Example = TypeVar("Example")


def fuzzer(strategy: SearchStrategy[Example], check: Callable[[Example], None]) -> Fuzzer:
    """Return a fuzzer that checks generated examples; it saves none of them."""

    def fuzz(seed: int, examples: int) -> None:
        @with_seed(seed)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(strategy)
        def check_example(example: Example) -> None:
            check(example)

        check_example()

    return fuzz
