"""Servers as processes: started on their core, measured and stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .machine import LOADING, SERVED, Usage, pinned
from .workload import TOKEN, Request

PATIENCE: Final = 120.0
"""Timeout of the start of a server, in seconds."""

_ENVIRONMENT: Final = {**os.environ, "TOKEN": TOKEN, "PYTHONDONTWRITEBYTECODE": ""}


class UnfitError(Exception):
    """A server does not start, or sends unexpected responses."""


class Server:
    """The command of a server."""

    def __init__(self, name: str, command: Sequence[str], *, cores: Sequence[int] = (SERVED,)) -> None:
        self.name = name
        self._command = command
        self._cores = cores
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, first: Request) -> float:
        """Start the server and return the seconds until the first response; raise `UnfitError`."""
        with pinned(*self._cores):
            began = time.perf_counter()
            # A process group of its own, to measure and stop all its processes.
            self._process = subprocess.Popen(
                self._command, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=self._said, start_new_session=True,
            )  # fmt: skip
        with pinned(LOADING):
            while True:
                try:
                    self.check(first)
                except OSError:
                    self._still_starting(time.perf_counter() - began)
                    time.sleep(0.005)
                else:
                    return time.perf_counter() - began

    def _still_starting(self, seconds: float) -> None:
        assert self._process is not None
        if self._process.poll() is None and seconds < PATIENCE:
            return
        self.stop()
        self._said.seek(0)
        output = self._said.read().decode()
        raise UnfitError(f"{self.name} does not start: {output.strip()[-2000:]}")

    def check(self, request: Request) -> None:
        """Raise `UnfitError` for an unexpected response, and `OSError` without a response."""
        connection = http.client.HTTPConnection("127.0.0.1", request.port, timeout=PATIENCE)
        try:
            connection.request(request.method, request.path, request.body or None, request.wire)
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        if response.status != 200 or request.expected not in body or request.refused in body:
            raise UnfitError(f"{self.name} responds to {request.path} with {response.status}: {body[:500]!r}")

    @property
    def usage(self) -> Usage:
        """Return the resource use of the server."""
        assert self._process is not None
        return Usage(self._process.pid)

    def stop(self) -> None:
        """Stop all processes of the server."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def script(name: str, *arguments: str, python: Path | None = None) -> list[str]:
    """Return the command of a Python server in this folder."""
    return [str(python or sys.executable), str(Path(__file__).parent / f"servers/{name}.py"), *arguments]
