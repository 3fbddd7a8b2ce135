"""Fuzzers that are bounded by time: `python -m tests.fuzz.run [FUZZER ...] --seconds N`.

Each fuzzer is a module with `open_fuzzer`, which yields a function that runs a batch of generated examples.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Final, Protocol

MODULES: Final[Mapping[str, str]] = {"client": "tests.fuzz.client", "server": "tests.fuzz.server"}
"""The modules of the fuzzers, by the names of their subcommands."""

BATCH: Final = 100
"""Examples of one seed: a failure is found again with `--seed` in one batch."""


class Fuzzer(Protocol):
    """Runs examples that depend on the seed only; raises the failure of the simplest example that fails."""

    def __call__(self, seed: int, examples: int) -> None: ...


def open_fuzzer(name: str) -> AbstractContextManager[Fuzzer]:
    """Return a fuzzer by its name."""
    opened: AbstractContextManager[Fuzzer] = import_module(MODULES[name]).open_fuzzer()
    return opened


def run(name: str, seconds: float, seed: int) -> bool:
    """Run batches for a time, at least one; return False, with the failure printed, if an example fails."""
    end = time.monotonic() + seconds
    batches = 0
    with open_fuzzer(name) as fuzz:
        while not batches or time.monotonic() < end:
            try:
                fuzz(seed + batches, BATCH)
            except Exception:
                print(f"{name}: failed; repeat it with '{name} --seed {seed + batches} --seconds 0'", flush=True)
                sys.excepthook(*sys.exc_info())
                return False
            batches += 1
    print(f"{name}: {batches * BATCH} examples without a failure (first seed: {seed})", flush=True)
    return True


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description="Run fuzzers.")
    parser.add_argument("names", nargs="*", metavar="FUZZER", help=f"one of {', '.join(MODULES)} (default: all)")
    parser.add_argument("--seconds", type=float, default=60, help="run each fuzzer for this time (default: 60)")
    parser.add_argument("--seed", type=int, help="start with this seed (default: random)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzzers of the command line; return 1 if one fails."""
    options = parser().parse_args(arguments)
    names = options.names or list(MODULES)
    if unknown := set(names) - set(MODULES):
        parser().error(f"unknown fuzzer '{min(unknown)}'; use one of {', '.join(MODULES)}")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    passed = [run(name, options.seconds, seed) for name in names]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
