"""`call` of an operation that is refused, or left out by `--skip-invalid`, prints the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.cli import main

DOCUMENT = """\
naftiko: 1.0.0-alpha2
info: {label: Shop, description: Sells things}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: https://api.example.com
      resources:
        - name: things
          path: /things
          operations:
            - {name: list, method: GET}
            - {name: remove, method: DELETE, inputParameters: [{name: id, in: path}]}
"""
EXPOSED = """\
            - {name: brew, method: BREW}
  exposes:
    - type: rest
      namespace: shop
      port: 8080
      resources:
        - path: /things
          operations:
            - {method: GET, name: get, call: api.list}
            - {method: DELETE, name: drop, call: api.remove}
            - {method: PUT, name: unknown, call: api.none}
            - {method: COPY, name: copy, call: api.list}
"""


@pytest.fixture(autouse=True)
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("shop.yaml")
    path.write_text(DOCUMENT)
    return path


@pytest.mark.parametrize("name", ["api.remove", "api.things.remove"])
def test_refused_operation_of_an_api(
    name: str, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    assert main(["call", "shop.yaml", name, "id=7", "--dry-run"]) == 2
    assert capsys.readouterr().err == snapshot


@pytest.mark.parametrize("name", ["drop", "shop.drop", "unknown", "api.brew"])
def test_operation_that_is_left_out(
    name: str, document: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    document.write_text(DOCUMENT + EXPOSED)
    assert main(["call", "shop.yaml", name, "id=7", "--dry-run", "--skip-invalid"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2] == snapshot
    assert [line.startswith("shop.yaml:") for line in lines] == [*[True] * 4, False, False]


def test_operation_that_is_left_out_without_its_name(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document.write_text(DOCUMENT + EXPOSED)
    assert main(["call", "shop.yaml", "copy", "--dry-run", "--skip-invalid"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "skipped: 'method' must be one of" in lines[1]
    assert lines[-2].startswith("adapter-host call: unknown operation 'copy'")


def test_valid_operations_can_be_called(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document.write_text(DOCUMENT + EXPOSED)
    assert main(["call", "shop.yaml", "get", "--dry-run", "--skip-invalid"]) == 0
    assert capsys.readouterr().err == ""
