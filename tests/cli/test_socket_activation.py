"""Sockets from systemd, and `--uds`, of the command."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, UnixConnector

from adapter_host.cli import UsageError, main
from adapter_host.cli.serve.inherited import assign_sockets, take_sockets
from tests.support.command import wait_for_file
from tests.support.host_process import HostProcess

DOCUMENT = """
naftiko: 1.0.0-alpha2
capability:
  exposes:
    - type: rest
      namespace: front
      port: 0
      resources: &ok
        - {path: /a, operations: [{method: GET, name: get-a, outputParameters: [{type: string, value: ok}]}]}
    - {type: rest, namespace: back, port: 0, resources: *ok}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostProcess]:
    """Serve with two workers on a port and a path, opened and passed on as systemd does."""
    folder = tmp_path_factory.mktemp("activation")
    (folder / "capability.yaml").write_text(DOCUMENT)
    with (
        socket.create_server(("127.0.0.1", 0)) as port,
        socket.socket(socket.AF_UNIX) as path,
        (folder / "host.log").open("wb") as log,
    ):
        path.bind(str(folder / "s"))
        path.listen()

        def place_descriptors() -> None:
            first, second = os.dup(port.fileno()), os.dup(path.fileno())
            os.dup2(first, 3)
            os.dup2(second, 4)

        # The shell has the process id that the command will have.
        script = 'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=front:back exec "$0" "$@"'
        command = [sys.executable, "-m", "adapter_host", "serve", "capability.yaml", "--ready-file", "ready.json"]
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", script, *command, "--workers", "2",
            stdout=log, stderr=log, cwd=folder, preexec_fn=place_descriptors, close_fds=False,
        )  # fmt: skip
        try:
            await wait_for_file(folder / "ready.json", process)
            yield HostProcess(process, folder)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        assert (folder / "s").exists()


@pytest.mark.asyncio(loop_scope="module")
async def test_sockets_by_name(served: HostProcess) -> None:
    assert served.urls["front"].startswith("http://127.0.0.1:")
    assert served.urls["back"] == f"http://unix:{served.folder / 's'}:/"
    async with ClientSession() as client, client.get(f"{served.urls['front']}/a") as response:
        assert await response.json() == "ok"
    async with (
        ClientSession(connector=UnixConnector(str(served.folder / "s"))) as client,
        client.get("http://localhost/a") as response,
    ):
        assert await response.json() == "ok"


@pytest.mark.asyncio(loop_scope="module")
async def test_stop_keeps_the_sockets(served: HostProcess) -> None:
    """The supervisor and its workers end; the fixture checks the file."""
    assert await served.terminate() == 0


def test_variables_of_another_process() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a", "OTHER": "x"}
    assert take_sockets(environment) == {}
    assert environment == {"OTHER": "x"}


def test_names_of_sockets() -> None:
    with socket.socket() as first, socket.socket() as second:
        assert assign_sockets({"adapter-host.socket": first}, ["a", "b"]) == {"": first}
        assert assign_sockets({"b": first}, ["a", "b"]) == {"b": first}
        assert assign_sockets({"b": first, "a": second}, ["a", "b"]) == {"b": first, "a": second}
        with pytest.raises(UsageError, match=r"'c' is no namespace of an exposer \(known: a, b\)"):
            assign_sockets({"c": first, "a": second}, ["a", "b"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--uds", "nobody=./s"], "--uds: unknown namespace 'nobody' (known: back, front)"),
        (["--uds", "front="], "'front=' has no path; write [NAMESPACE=]PATH"),
        (["--uds", "front=./s", "--port", "front=1"], "--port and --uds: 'front' cannot listen on both"),
    ],
)
def test_invalid_paths(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(DOCUMENT)
    try:
        code = main(["serve", "a.yaml", *options])
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    assert message in capsys.readouterr().err
