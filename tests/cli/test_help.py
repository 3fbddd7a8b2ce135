"""Examples in the help, completion in shells, and errors of folders that cannot be written."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from adapter_host.cli import COMMANDS, main
from adapter_host.cli.examples import EXAMPLES
from tests.support.paths import ROOT

PROGRAM: Final = str(Path(sys.executable).parent / "adapter-host")
FILE: Final = str(ROOT / "capabilities/greeting.yaml")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_has_examples_and_a_link(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"] if command else ["--help"])
    out = capsys.readouterr().out
    assert all(f"\n  adapter-host {example}\n" in out for example in EXAMPLES[command])
    assert out.rstrip().endswith(f"docs/reference/cli.md{f'#{command}' if command else ''}")


@pytest.mark.parametrize("example", [example for examples in EXAMPLES.values() for example in examples])
def test_examples_are_right(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With an option that is unknown, only that one is wrong."""
    arguments = shlex.split(example.partition(" > ")[0])
    assert main([*arguments, "--no-such-option"]) == 2
    assert "unknown option '--no-such-option'" in capsys.readouterr().err


def test_version_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    version = capsys.readouterr().out.split()[1]
    assert main(["--version", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["version"] == version
    assert data["plugins"]["adapter-host-mcp"] == version
    assert main(["--json"]) == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("adapter-host ser", {"serve"}),
        ("adapter-host serve --print", {"--print-config"}),
        ("adapter-host install cl", {"claude-code", "claude-desktop"}),
        ("adapter-host completion ", {"bash", "zsh", "fish", "--help", "-h", "--traceback"}),
    ],
)
def test_completion(line: str, expected: set[str], tmp_path: Path) -> None:
    output = tmp_path / "completions"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(output),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run([PROGRAM], env=environment, check=True)
    assert {word.rstrip() for word in output.read_text().split("\n")} == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "adapter-host" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="this system has no bash")
def test_completion_in_bash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    script += """
COMP_LINE='adapter-host vali' COMP_POINT=17 COMP_WORDS=(adapter-host vali) COMP_CWORD=1 COMP_TYPE=9
_python_argcomplete adapter-host
printf '%s|' "${COMPREPLY[@]}"
"""
    environment = {**os.environ, "PATH": f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        ["bash", "--norc"], input=script, text=True, capture_output=True, check=True, env=environment
    )
    assert result.stdout.strip() == "validate |"


@pytest.mark.parametrize(
    "arguments",
    [
        ["install", "cursor", FILE, "--client-file", "file/mcp.json"],
        ["schema", "-o", "file/schema.json"],
        ["export", "openapi", FILE, "-o", "file/openapi.json"],
        ["plugins", "new", "lamp", "--kind", "exposer", "--into", "file/lamp"],
        [
            "serve",
            FILE,
            "--mock",
            "--port",
            "greeting-rest=0",
            "--port",
            "greeting-mcp=0",
            "--ready-file",
            "file/ready",
        ],
    ],
    ids=lambda arguments: arguments[0],
)
def test_folder_that_cannot_be_written(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("not a folder")
    assert main(arguments) in (1, 2)
    assert "Not a directory" in capsys.readouterr().err
