"""Tests of the contracts: good adapters pass, and each broken adapter fails exactly the test that covers it."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from adapter_host import OperationError
from adapter_host.testing import ConsumerContract, ExposerContract
from tests.support.pages import blocks
from tests.support.paths import ROOT

GUIDE = ROOT / "docs/writing-a-plugin.md"
BROKEN = ROOT / "tests/support/broken_adapters.py"

Failed = Mapping[str, set[str]]
"""The names of the failed tests by class; empty for a class without failures."""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Failed:
    report = tmp_path_factory.mktemp("kit") / "report.xml"
    # Warnings about what a broken adapter leaves behind are expected.
    options = ["-q", "--tb=native", "-p", "no:cacheprovider", "-o", "filterwarnings=ignore", f"--junitxml={report}"]
    run = [sys.executable, "-m", "pytest", *options, str(BROKEN)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found: defaultdict[str, set[str]] = defaultdict(set)
    for case in ElementTree.parse(report).iter("testcase"):
        failures = found[case.attrib["classname"].rsplit(".", 1)[-1]]
        if case.find("failure") is not None or case.find("error") is not None:
            failures.add(case.attrib["name"].partition("[")[0])
    return found


def items(contract: type) -> list[str]:
    return [name for name in vars(contract) if name.startswith("test_")]


def broken(prefix: str, item: str) -> str:
    return f"Test{prefix}{item.removeprefix('test').title().replace('_', '')}"


@pytest.mark.parametrize("name", ["TestGoodExposer", "TestGoodConsumer"])
def test_good_adapters_pass(failed: Failed, name: str) -> None:
    assert failed[name] == set()


@pytest.mark.parametrize("item", items(ExposerContract))
def test_broken_exposer_fails_exactly_one_test(failed: Failed, item: str) -> None:
    assert failed[broken("Exposing", item)] == {item}


@pytest.mark.parametrize("item", [name for name in items(ConsumerContract) if name != "test_examples_exist"])
def test_broken_consumer_fails_exactly_one_test(failed: Failed, item: str) -> None:
    assert failed[broken("Consuming", item)] == {item}


def test_contract_without_examples(failed: Failed) -> None:
    assert failed["TestWithoutExamples"] == {"test_examples_exist"}


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


def test_fixtures_need_no_import(running: object, fake_plugins: object) -> None:
    assert callable(running)
    assert callable(fake_plugins)


@pytest.mark.parametrize("contract", [ExposerContract, ConsumerContract])
def test_guide_lists_every_test(contract: type) -> None:
    assert [item for item in items(contract) if f"| `{item}` |" not in GUIDE.read_text()] == []


@pytest.mark.parametrize(("type_name", "contract"), [("words", "ExposerContract"), ("dice", "ConsumerContract")])
def test_adapters_of_the_guide(type_name: str, contract: str, tmp_path: Path) -> None:
    written = [block.text for block in blocks(GUIDE, "python")]
    (adapter,) = [text for text in written if f'register("{type_name}"' in text]
    (tests,) = [text for text in written if f"({contract}):" in text]
    plugins_method = f"""
    def plugins(self):
        import sys
        from adapter_host import Plugins

        return Plugins({{"{type_name}": sys.modules[__name__]}})
"""
    (tmp_path / "test_guide.py").write_text(adapter + tests + plugins_method)
    # Without pytest-asyncio: a contract does not need it.
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "-W", "error", "."]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
