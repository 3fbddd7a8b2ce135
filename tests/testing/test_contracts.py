"""Tests of the contracts: good adapters pass, and each broken adapter fails exactly the test that covers it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapter_host import OperationError
from adapter_host.testing import ConsumerContract, ExposerContract
from tests.support.broken_adapters import CONSUMERS, EXPOSERS, MISTAKES, EchoContract, StationContract, WithoutExamples
from tests.support.contract_runner import BROKEN_TIMEOUT, GUIDE, broken, defined_tests, failed_tests, ignore_leaks
from tests.support.pages import blocks

pytestmark = pytest.mark.early


@pytest.mark.parametrize("contract", [EchoContract, StationContract])
def test_good_adapters_pass(contract: type[Any]) -> None:
    assert failed_tests(contract) == set()


@ignore_leaks
@pytest.mark.parametrize("name", defined_tests(ExposerContract))
def test_broken_exposer_fails_exactly_one_test(name: str) -> None:
    assert failed_tests(broken(EchoContract, adapter=EXPOSERS[name]), {name: BROKEN_TIMEOUT}) == {name}


@ignore_leaks
@pytest.mark.parametrize(("exposer", "name"), MISTAKES)
def test_more_mistakes_of_exposers(exposer: type[Any], name: str) -> None:
    assert failed_tests(broken(EchoContract, adapter=exposer), {name: BROKEN_TIMEOUT}) == {name}


@ignore_leaks
@pytest.mark.parametrize("name", [name for name in defined_tests(ConsumerContract) if name != "test_examples_exist"])
def test_broken_consumer_fails_exactly_one_test(name: str) -> None:
    assert failed_tests(broken(StationContract, adapter=CONSUMERS[name]), {name: BROKEN_TIMEOUT}) == {name}


def test_contract_without_examples() -> None:
    assert failed_tests(WithoutExamples) == {"test_examples_exist"}


def test_every_error_type_is_covered() -> None:
    tried: list[type[OperationError]] = []

    class Metafunc:
        fixturenames = ("error",)

        def parametrize(self, name: str, values: list[type[OperationError]], ids: list[str]) -> None:
            tried.extend(values)

    ExposerContract.pytest_generate_tests(Metafunc())
    assert {OperationError, *OperationError.__subclasses__()} <= set(tried) | {
        error for error in OperationError.__subclasses__() if not error.__module__.startswith("adapter_host.")
    }


def test_kit_needs_no_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import adapter_host.testing"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_fixtures_need_no_import(running: object, fake_plugins: object) -> None:
    assert callable(running)
    assert callable(fake_plugins)


@pytest.mark.parametrize("contract", [ExposerContract, ConsumerContract])
def test_guide_lists_every_test(contract: type) -> None:
    assert [name for name in defined_tests(contract) if f"| `{name}` |" not in GUIDE.read_text()] == []


def test_adapters_of_the_guide(tmp_path: Path) -> None:
    texts = [block.text for block in blocks(GUIDE, "python")]
    for type_name, contract in (("words", "HttpExposerContract"), ("dice", "ConsumerContract")):
        (adapter,) = [text for text in texts if f'register("{type_name}"' in text]
        (tests,) = [text for text in texts if f"({contract}):" in text]
        plugins_method = f"""
    def plugins(self):
        import sys
        from adapter_host import Plugins

        return Plugins({{"{type_name}": sys.modules[__name__]}})
"""
        (tmp_path / f"test_{type_name}.py").write_text(adapter + tests + plugins_method)
    # Without pytest-asyncio: a contract does not need it.
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "-W", "error", "."]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
