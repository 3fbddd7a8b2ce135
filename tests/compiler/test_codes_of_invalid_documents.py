"""The codes of the problems of the documents in `bad/`, with and without `--strict`."""

from __future__ import annotations

import json

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.cli import main
from tests.compiler.test_invalid_documents import BAD, FILES


def listed(*arguments: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return the problems that `adapter-host validate` lists."""
    assert main(["validate", "--format", "json", *arguments]) in (0, 1)
    problems: list[dict[str, object]] = json.loads(capsys.readouterr().out)["problems"]
    return problems


def place(problem: dict[str, object]) -> str:
    return f"{problem['file']}:{problem['line']}:{problem['column']}: {problem['severity']}: {problem['code']}"


@pytest.mark.parametrize("name", FILES)
def test_codes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    monkeypatch.chdir(BAD)
    assert [place(problem) for problem in listed(name, capsys=capsys)] == snapshot


@pytest.mark.parametrize("name", FILES)
def test_strict_problems(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    monkeypatch.chdir(BAD)
    lenient = listed(name, capsys=capsys)
    added = [problem for problem in listed("--strict", name, capsys=capsys) if problem not in lenient]
    assert [f"{place(problem)}: {problem['message']}" for problem in added] == snapshot
