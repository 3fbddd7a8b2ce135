"""A user's machine: a clean environment with only our wheels, and a package that was generated there.

Third-party packages are linked from the environment of the tests, so nothing is downloaded.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.clean_environment import CleanEnvironment
from tests.support.pages import blocks, steps
from tests.support.paths import ROOT

pytestmark = pytest.mark.early

GUIDE = ROOT / "docs/writing-a-plugin.md"
OURS = ("core", "plugins/http")
TOOLS = ("build", "hatchling", "hatch-fancy-pypi-readme", "editables", "mypy", "ruff", "pytest", "pytest-asyncio", "uv")
NEEDS_A_NETWORK = ("uv publish",)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    folder = tmp_path_factory.mktemp("outside")
    wheels = folder / "wheels"
    for name in OURS:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        subprocess.run(build, cwd=ROOT / name, capture_output=True, check=True)
    made = CleanEnvironment(folder, ["adapter-host-core", "adapter-host-http", *TOOLS], wheels, pip=True)
    made.run("pip install --quiet adapter-host-core adapter-host-http")
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Installs, tests and checks a package, in an environment that is created first.
@pytest.mark.timeout(300)
def test_commands_of_the_guide(machine: CleanEnvironment) -> None:
    """Every command of the guide succeeds in order, with the output that the guide shows."""
    port, shell = free_port(), ["set -e", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    typed, expected_outputs = [], []
    for block in blocks(GUIDE, "console"):
        for command, output in steps(block.text):
            typed.append(command)
            if command in NEEDS_A_NETWORK:
                continue
            if command.startswith("adapter-host serve"):
                # The port of the example may be in use on this machine.
                shell.append(f"sed -i s/7070/{port}/ example.yaml")
                shell.append(command.removesuffix("&") + "--ready-file ready &")
                shell.append("until [ -e ready ]; do sleep 0.05; done")
            elif "telnet://" in command:
                # curl reports its time limit by exit code 28.
                shell.append(f"{command.replace('7070', str(port))} || [ $? = 28 ]")
            else:
                shell.append(command)
            expected_outputs += [output] if output else []
    assert typed[0] == "pip install adapter-host-core"
    printed = machine.run("\n".join(shell))
    for output in expected_outputs:
        assert output in printed
    assert len(expected_outputs) >= 1
    assert re.search(r"^lines +adapter-host-lines +0\.1\.0 +exposes lines ", printed, re.MULTILINE)
    assert re.search(r"\b[1-9]\d* passed\b.* in ", printed)
    assert {path.suffix for path in (machine.home / "lines/dist").iterdir()} >= {".gz", ".whl"}


@pytest.fixture
def served(machine: CleanEnvironment) -> Iterator[int]:
    """Serve a document with a third party's exposer and a mock HTTP API; yield its port."""
    machine.run("adapter-host plugins new wire --kind exposer && pip install --quiet ./wire")
    document = machine.home / "stations.yaml"
    document.write_text(DOCUMENT)
    serve = [str(machine.scripts / "adapter-host"), "serve", "--mock", "--ready-file", "ready.json", "stations.yaml"]
    with subprocess.Popen(serve, cwd=machine.home, env=machine.variables, stderr=subprocess.PIPE, text=True) as process:
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


def test_new_plugin_serves_with_installed_plugins(served: int) -> None:
    with socket.create_connection(("127.0.0.1", served), timeout=20) as line, line.makefile("rw") as talk:
        for sent, response in (
            ('read {"id": 7}', {"result": {"name": "Vardø"}}),
            (
                'read {"id": "seven"}',
                {
                    "error": "'id' must be an integer (given \"seven\")",
                    "parameter": "id",
                    "status": 400,
                    "type": "ArgumentError",
                },
            ),
        ):
            talk.write(f"{sent}\n")
            talk.flush()
            assert json.loads(talk.readline()) == response


def test_environment_has_only_our_wheels(machine: CleanEnvironment) -> None:
    printed = machine.run("python -c 'import adapter_host, adapter_host_http; print(adapter_host.__file__)'")
    assert printed.startswith(str(machine.root))
    assert "adapter-host-rest" not in machine.run("pip list")
