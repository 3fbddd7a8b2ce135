"""A stranger's machine: a clean environment with our wheels alone, and a package that was made there.

What is installed there besides is linked from the environment of the tests, so nothing is fetched.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.pages import blocks, steps
from tests.support.paths import ROOT

GUIDE = ROOT / "docs/writing-a-plugin.md"
OURS = ("core", "plugins/http")
TOOLS = ("build", "hatchling", "editables", "mypy", "ruff", "pytest", "pytest-asyncio", "uv")
NEEDS_A_NETWORK = ("uv publish",)
OFFLINE = {
    "PIP_NO_INDEX": "1",
    # What pip reads as: no isolation.
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_OFFLINE": "1",
    "UV_NO_BUILD_ISOLATION": "1",
}


def needed(*names: str) -> set[metadata.Distribution]:
    """Distributions with all that they need, but ours."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # an optional one, or of another platform
        if not name.startswith("adapter-host"):
            found[name] = distribution
        waiting += map(Requirement, distribution.requires or ())
    return set(found.values())


def link(distribution: metadata.Distribution, site: Path, scripts: Path) -> None:
    """Put an installed distribution into another environment."""
    home = Path(str(distribution.locate_file("")))
    for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
        if not (site / name).exists():
            (site / name).symlink_to(home / name)
    for file in distribution.files or ():
        program = Path(str(distribution.locate_file(file)))
        if ".." in file.parts and program.exists() and not program.read_bytes().startswith(b"#!"):
            (scripts / file.name).symlink_to(program.resolve())
    for entry in distribution.entry_points.select(group="console_scripts"):
        code = f"import sys; from {entry.module} import {entry.attr}; sys.exit({entry.attr}())"
        (scripts / entry.name).write_text(f"#!{scripts}/python\n{code}\n")
        (scripts / entry.name).chmod(0o755)


class Machine:
    """A folder with a clean environment; `run` is what is typed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.scripts = folder / "environment/bin"
        self._do([sys.executable, "-m", "venv", folder / "environment"])
        site = folder / f"environment/lib/python{sysconfig.get_python_version()}/site-packages"
        for distribution in needed("adapter-host-core", "adapter-host-http", *TOOLS):
            link(distribution, site, self.scripts)
        for name in OURS:
            self._do([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "wheels"], ROOT / name)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "PYTEST"))}
        path = f"{self.scripts}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "VIRTUAL_ENV": str(self.folder / "environment"), "HOME": str(self.home)}
        return {**kept, **own, **OFFLINE, "PIP_FIND_LINKS": str(self.folder / "wheels")}

    def run(self, command: str) -> str:
        """What a line of shell prints; it has to succeed."""
        return self._do(["bash", "-c", command], self.home)

    def _do(self, command: Sequence[str | Path], cwd: Path | None = None) -> str:
        place = cwd or self.folder
        done = subprocess.run(
            command, cwd=place, env=self.environment, capture_output=True, text=True, timeout=50, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    made = Machine(tmp_path_factory.mktemp("outside"))
    made.run("pip install --quiet adapter-host-core adapter-host-http")
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_guide_leads_there(machine: Machine) -> None:
    """Every command of the guide is typed, in its order, and gives what the guide shows."""
    port, shell = free_port(), ["set -e", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    typed, shown = [], []
    for block in blocks(GUIDE, "console"):
        for command, output in steps(block.text):
            typed.append(command)
            if command in NEEDS_A_NETWORK:
                continue
            if command.startswith("adapter-host serve"):
                # The port that the example names may be in use where this runs.
                shell.append(f"sed -i s/7070/{port}/ example.yaml")
                shell.append(command.removesuffix("&") + "--ready-file ready &")
                shell.append("until [ -e ready ]; do sleep 0.05; done")
            elif "telnet://" in command:
                # A client that ends by its own time limit says so in its exit code.
                shell.append(f"{command.replace('7070', str(port))} || [ $? = 28 ]")
            else:
                shell.append(command)
            shown += [output] if output else []
    assert typed[0] == "pip install adapter-host-core"
    printed = machine.run("\n".join(shell))
    for output in shown:
        assert output in printed
    assert len(shown) >= 1
    assert re.search(r"^lines +adapter-host-lines +0\.1\.0 +exposes lines ", printed, re.MULTILINE)
    assert re.search(r"\b[1-9]\d* passed in", printed)
    assert {path.suffix for path in (machine.home / "lines/dist").iterdir()} >= {".gz", ".whl"}


@pytest.fixture
def served(machine: Machine) -> Iterator[int]:
    """A document that a stranger's exposer serves, and that consumes over HTTP with our stand-in; gives its port."""
    machine.run("adapter-host plugins new wire --kind exposer && pip install --quiet ./wire")
    document = machine.home / "stations.yaml"
    document.write_text(DOCUMENT)
    serve = [str(machine.scripts / "adapter-host"), "serve", "--mock", "--ready-file", "ready.json", "stations.yaml"]
    with subprocess.Popen(
        serve, cwd=machine.home, env=machine.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        ready = machine.home / "ready.json"
        while not ready.exists() and process.poll() is None:
            process.stderr.readline()
        yield int(json.loads(ready.read_text())["exposers"][0]["url"].rsplit(":", 1)[1])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0


DOCUMENT = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: weather
      baseUri: https://api.example.org/v1
      resources:
        - name: station
          path: /stations/{id}
          operations:
            - name: read
              method: GET
              inputParameters:
                - name: id
                  in: path
                  type: integer
              x-example:
                name: Vardø
  exposes:
    - type: wire
      namespace: lines
      port: 0
      operations:
        - call: weather.read
"""


def test_a_strangers_package_serves_with_ours(served: int) -> None:
    with socket.create_connection(("127.0.0.1", served), timeout=20) as line, line.makefile("rw") as talk:
        for sent, answer in (
            ('read {"id": 7}', {"result": {"name": "Vardø"}}),
            ('read {"id": "seven"}', {"error": "'id' must be an integer (given \"seven\")", "status": 400}),
        ):
            talk.write(f"{sent}\n")
            talk.flush()
            assert json.loads(talk.readline()) == answer


def test_it_is_truly_outside(machine: Machine) -> None:
    printed = machine.run("python -c 'import adapter_host, adapter_host_http; print(adapter_host.__file__)'")
    assert printed.startswith(str(machine.folder))
    assert "adapter-host-rest" not in machine.run("pip list")
