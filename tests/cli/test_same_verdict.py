"""Commands that start nothing report the problems of files that `serve` refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.cli import main
from tests.conftest import Command
from tests.support.exposer_entries import echo, rest, stdio


def document(*exposes: str) -> str:
    return "\n".join(
        (
            "naftiko: 1.0.0-alpha2",
            "capability:",
            "  consumes:",
            "    - type: http",
            "      namespace: api",
            "      baseUri: http://127.0.0.1:9",
            "      resources: [{path: /a, operations: [{name: a, method: GET}]}]",
            "  exposes:",
            *(f"    - {exposer}" for exposer in exposes),
            "",
        )
    )


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    monkeypatch.chdir(tmp_path)

    def write(first: str, second: str) -> None:
        Path("a.yaml").write_text(first)
        Path("b.yaml").write_text(second)

    return write


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(rest("site", 18080), rest("site", 18080), id="namespace"),
        pytest.param(rest("site", 18080, "0.0.0.0"), rest("other", 18080), id="all IPv4 addresses"),
        pytest.param(rest("site", 18080), rest("other", 18080, "[::]"), id="all addresses"),
        pytest.param(stdio("one"), stdio("two"), id="stdio"),
        pytest.param(rest("site", 18080), echo("wire", 18080), id="another listener"),
    ],
)
def test_files_that_cannot_be_served_together(
    first: str,
    second: str,
    write: Callable[[str, str], None],
    command: Command,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    write(document(first), document(second))
    served = command("serve", "a.yaml", "b.yaml")
    assert main(["validate", "a.yaml", "b.yaml"]) == served.returncode == 1
    captured = capsys.readouterr()
    assert captured.err == served.stderr
    assert captured.err == snapshot(name="problem")
    assert captured.out == snapshot(name="summary")
    for file in ("a.yaml", "b.yaml"):
        assert main(["validate", file]) == 0
    assert main(["validate", "--separately", "a.yaml", "b.yaml"]) == 0
    assert main(["validate", "--separately", "."]) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rest("site", 18080), rest("other", 18080)),
        (rest("site", 18080), rest("site", 18081)),
        (rest("site", 0), rest("site", 0)),
        (rest("site", 18080), rest("site", 18080, "127.0.0.2")),
        (rest("site", 18080, "0.0.0.0"), rest("other", 18080, "[::1]")),
        (rest("site", 18080), stdio("site")),
        (echo("wire", 0), echo("wire2", 0)),
    ],
)
def test_files_that_can_be_served_together(first: str, second: str, write: Callable[[str, str], None]) -> None:
    write(document(first), document(second))
    assert main(["validate", "a.yaml", "b.yaml"]) == 0


def test_overrides_of_ports_and_addresses(write: Callable[[str, str], None]) -> None:
    write(document(rest("site", 18080)), document(rest("other", 18080, "0.0.0.0")))
    assert main(["validate", "a.yaml", "b.yaml"]) == 1
    assert main(["validate", "a.yaml", "b.yaml", "--port", "other=0"]) == 0
    assert main(["validate", "a.yaml", "b.yaml", "--address", "127.0.0.1"]) == 0


@pytest.mark.parametrize("arguments", [("validate", "a.yaml"), ("inspect", "a.yaml"), ("call", "a.yaml", "site.a")])
def test_override_of_an_unknown_namespace(
    arguments: tuple[str, ...],
    write: Callable[[str, str], None],
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(document(rest("site", 18080)), "")
    option = ("--base-uri", "apo=http://127.0.0.1:9")
    served = command("serve", "a.yaml", *option)
    assert main([*arguments, *option]) == served.returncode == 2
    message = "--base-uri: unknown namespace 'apo' (known: api)"
    assert served.stderr.splitlines()[0] == f"adapter-host serve: {message}"
    assert capsys.readouterr().err.splitlines()[0] == f"adapter-host {arguments[0]}: {message}"
