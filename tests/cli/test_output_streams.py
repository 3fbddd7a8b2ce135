"""Standard output that cannot be written ends a command without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.early

FILE = str(ROOT / "capabilities/greeting.yaml")
COMMANDS = [
    ("inspect", FILE),
    ("inspect", "--format", "json", FILE),
    ("validate", FILE),
    ("plugins",),
    ("export", "openapi", FILE),
    ("call", FILE, "greeting-rest.greet", "name=Ada"),
    ("--help",),
    ("serve", "--help"),
    ("--version",),
    ("--version", "--json"),
    ("schema",),
    ("install", "cursor", FILE, "--dry-run"),
    ("serve", "--print-config", "cursor", FILE),
]


def run(arguments: tuple[str, ...], stdout: int | IO[Any]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adapter_host", *arguments]
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=environment)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_closed_pipe(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = run(arguments, writing)
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_full_disk(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        result = run(arguments, full)
    assert result.returncode == 1
    assert result.stderr == "adapter-host: cannot write the output: No space left on device\n"
