"""Run the tests of a contract inside of a test, also those that a broken adapter fails."""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from unittest import SkipTest

import pytest

from adapter_host.testing import (
    BindSourceContract,
    ConsumerContract,
    ExposerContract,
    StepTypeContract,
    WrapperContract,
)

from .paths import ROOT

Contract = (
    type[ConsumerContract]
    | type[ExposerContract]
    | type[BindSourceContract]
    | type[StepTypeContract]
    | type[WrapperContract]
)

GUIDE: Final = ROOT / "docs/writing-a-plugin.md"
BROKEN_TIMEOUT: Final = 0.8
"""Seconds until a test fails that is expected to fail, possibly by timeout."""

# Broken adapters leave sockets and tasks behind.
ignore_leaks: Final = pytest.mark.filterwarnings("ignore")


def broken(contract: type[Any], **attributes: Any) -> type[Any]:
    """Return a contract for a broken adapter, which is among the `attributes` of the class."""
    return type("Broken", (contract,), {**attributes, "__module__": contract.__module__})


def defined_tests(contract: type) -> list[str]:
    """Return the names of the tests that a contract defines or inherits."""
    return [name for name in dir(contract) if name.startswith("test_")]


def failed_tests(contract: Contract, timeouts: Mapping[str, float] | None = None) -> set[str]:
    """Run all tests of a contract and return the names of those that fail; `timeouts` are in seconds, by name."""
    failed = set()
    # Captured log records would keep tracebacks, and so sockets, alive beyond the test.
    logging.disable()
    for name in defined_tests(contract):
        changed = {"timeout": timeouts[name]} if timeouts and name in timeouts else {}
        timed = type(contract.__name__, (contract,), {**changed, "__module__": contract.__module__})
        for arguments in _cases(timed, name):
            try:
                getattr(timed(), name)(**arguments)
            except SkipTest:
                continue
            except Exception:
                # A broken adapter may raise anything.
                failed.add(name)
    logging.disable(logging.NOTSET)
    # Report the open sockets and tasks of broken adapters here, not in a later test.
    gc.collect()
    return failed


class _Metafunc:
    """The attributes of pytest's Metafunc that contracts use."""

    def __init__(self, fixturenames: Sequence[str]) -> None:
        self.fixturenames = fixturenames
        self.parameters: dict[str, Sequence[Any]] = {}

    def parametrize(self, name: str, values: Sequence[Any], ids: Sequence[str]) -> None:
        self.parameters[name] = values


def _cases(contract: Contract, name: str) -> Iterator[dict[str, Any]]:
    fixtures = [parameter for parameter in inspect.signature(getattr(contract, name)).parameters if parameter != "self"]
    metafunc = _Metafunc(fixtures)
    contract.pytest_generate_tests(metafunc)
    if not fixtures:
        yield {}
    for fixture, values in metafunc.parameters.items():
        for value in values:
            yield {fixture: value}
