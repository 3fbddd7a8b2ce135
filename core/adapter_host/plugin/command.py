"""Commands of plugins."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """Add no option."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a plugin, which `adapter-host NAME` runs.

    `summary` is its line in `adapter-host --help`. `run` returns the exit code; an `AdapterHostError` that it raises is
    printed on one line. `add_options` adds its options to the parser; those of plugins are there already.
    """

    summary: str
    run: Callable[[argparse.Namespace], int]
    add_options: Callable[[argparse.ArgumentParser], None] = _add_nothing
