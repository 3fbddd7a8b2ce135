"""The pages about this plugin: their blocks are built, and the commands of the guide return what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import Host, Settings

ROOT = Path(__file__).parents[3]
README = ROOT / "plugins/mcp-client/README.md"
GUIDE = ROOT / "docs/how-to/mcp-servers.md"

TOOL = {"inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
DEFINITIONS = {
    name: {"tools": {"forecast": TOOL, "read_file": TOOL, "greet": TOOL}} for name in ("weather", "files", "greeter")
}


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(r"^```([\w ]*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


@pytest.mark.parametrize("page", [README, GUIDE], ids=["readme", "guide"])
def test_every_example_is_built(page: Path) -> None:
    consumes: list[Any] = yaml.safe_load(blocks(README, "yaml discovered")[0])["consumes"]
    for text in blocks(page, "yaml discovered"):
        data = yaml.safe_load(text)
        document = {
            "naftiko": "1.0.0-alpha2",
            "binds": [
                {"namespace": "weather", "keys": {"TOKEN": "WEATHER_TOKEN", "CLIENT": "CLIENT", "SECRET": "SECRET"}},
                {"namespace": "system", "keys": {"PATH": "PATH"}},
            ],
            "capability": {"consumes": data.get("consumes", consumes), **data.get("capability", data)},
        }
        host = Host(document, settings=Settings(environment={}, discovered=DEFINITIONS))
        assert host.warnings == ()
        assert host.plans[0].consumed


def test_commands_of_the_guide(tmp_path: Path) -> None:
    (tmp_path / "guests.yaml").write_text(blocks(GUIDE, "yaml discovered")[0])
    (tmp_path / "capabilities").symlink_to(ROOT / "capabilities")
    (console,) = [text for text in blocks(GUIDE, "") if "$ adapter-host validate" in text]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for step in console.split("$ adapter-host ")[1:]:
        command, _, expected = step.partition("\n")
        done = subprocess.run(
            [sys.executable, "-m", "adapter_host", *command.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert expected.strip() in done.stdout + done.stderr


def test_definitions_of_the_example_are_current(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "adapter_host", "discover", "--check", str(ROOT / "capabilities/guestbook.yaml")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
