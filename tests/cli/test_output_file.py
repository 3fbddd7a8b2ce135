"""Commands overwrite no file without --force."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from adapter_host.cli import main
from tests.support.paths import ROOT

IMPORT = ("import", "openapi", str(ROOT / "tests/openapi/samples/garden-3.1.yaml"))
EXPORT = ("export", "openapi", str(ROOT / "capabilities/greeting.yaml"))


@pytest.fixture(params=[IMPORT, EXPORT], ids=["import", "export"])
def arguments(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return tuple(request.param)


@pytest.mark.parametrize("broken_link", [False, True])
def test_existing_file_is_kept(
    arguments: tuple[str, ...], broken_link: bool, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    output = Path("mine.yaml")
    if broken_link:
        output.symlink_to("elsewhere.yaml")
    else:
        output.write_text("mine")
    assert main([*arguments, "-o", str(output)]) == 2
    message = f"adapter-host {arguments[0]}: 'mine.yaml' already exists; choose another file, or add --force"
    assert capsys.readouterr().err.splitlines()[0] == message
    assert output.is_symlink() if broken_link else output.read_text() == "mine"
    assert not Path("elsewhere.yaml").exists()


@pytest.mark.parametrize("force", ["--force", "-f"])
def test_force_overwrites_a_file(arguments: tuple[str, ...], force: str, tmp_path: Path, capsys: Any) -> None:
    assert main(arguments) == 0
    text = capsys.readouterr().out
    output = tmp_path / "mine.yaml"
    output.write_text("mine" * len(text))
    assert main([*arguments, "-o", str(output), force]) == 0
    assert output.read_text() == text


def test_device_is_written(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert main([*arguments, "-o", os.devnull]) == 0


def test_unwritable_folder(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "-o", "/nowhere/at/all.yaml"]) == 1
    assert capsys.readouterr().err.endswith("cannot write '/nowhere/at/all.yaml': No such file or directory\n")
