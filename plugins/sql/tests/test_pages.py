"""The pages about this plugin: their blocks are built, and the commands of the guide return what it shows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import Host, Settings, discover

ROOT = Path(__file__).parents[3]
README = ROOT / "plugins/sql/README.md"
GUIDE = ROOT / "docs/how-to/databases.md"
EXAMPLE = ROOT / "capabilities/fleet.yaml"


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(r"^```([\w ]*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


@pytest.mark.parametrize("page", [README, GUIDE], ids=["readme", "guide"])
def test_every_example_is_built(page: Path) -> None:
    consumes: list[Any] = []
    for text in blocks(page, "yaml discovered"):
        data = yaml.safe_load(text)
        capability = data.get("capability", {"consumes": consumes, **data})
        consumes = capability["consumes"]
        (entry,) = consumes
        document = {
            "naftiko": "1.0.0-alpha2",
            "binds": [{"namespace": entry["namespace"], "keys": {"PASSWORD": "PASSWORD"}}],
            "capability": capability,
        }
        statements: dict[str, Any] = {each["name"]: {"parameters": {}, "columns": []} for each in entry["statements"]}
        discovered = {entry["namespace"]: {"statements": statements}}
        host = Host(document, settings=Settings(environment={}, discovered=discovered))
        assert host.warnings == ()
        assert len(host.plans[0].consumed) == 2


def test_commands_of_the_guide(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(blocks(GUIDE, "yaml discovered")[0])
    for console in blocks(GUIDE, ""):
        for step in console.split("$ ")[1:]:
            command, _, expected = step.partition("\n")
            words = [sys.executable, *shlex.split(command)[1:]]
            if command.startswith("adapter-host"):
                words[1:1] = ["-m", "adapter_host"]
            done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert expected.strip() in done.stdout


async def test_definitions_of_the_example_are_current() -> None:
    found = await discover(EXAMPLE, settings=Settings(environment={}))
    snapshot = json.loads(EXAMPLE.with_name("fleet.fleet.discovered.json").read_text())
    assert found == {"fleet": snapshot["definitions"]}
