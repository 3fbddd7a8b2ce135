"""Files that block their readers: pipes in place of files, and disks that do not respond."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from tests.support.host_process import host_process
from tests.support.raw_http import CLOSE, exchange, status_of

REST = """
  exposes:
    - type: rest
      namespace: front
      port: 0
      resources:
        - path: /a
          operations: [{method: GET, outputParameters: [{type: string, value: a}]}]
"""
IMPORT = "naftiko: 1.0.0-alpha2\ncapability:\n  consumes: [{import: up, location: ./pipe.yaml}]" + REST
SCHEMA = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: up
      baseUri: http://127.0.0.1:1
      resources:
        - path: /
          operations: [{name: a, method: GET, outputRawFormat: avro, outputSchema: pipe.avsc}]
""" + REST.lstrip("\n")
OPENAPI = '{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"$ref": "./pipe.json"}}}'


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run the command; raise `TimeoutExpired` if it waits for a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "adapter_host", *command], cwd=folder, capture_output=True, text=True, timeout=50
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.parametrize(
    ("document", "pipe", "command", "reason"),
    [
        (IMPORT, "pipe.yaml", ("validate", "it.yaml"), "it is not a regular file"),
        (SCHEMA, "pipe.avsc", ("validate", "it.yaml"), "file not found"),
        (OPENAPI, "pipe.json", ("import", "openapi", "it.yaml"), "it is not a regular file"),
        ("", "pipe.yaml", ("validate", "pipe.yaml"), "it is not a regular file"),
    ],
    ids=["import", "schema", "reference", "document"],
)
async def test_pipe_in_place_of_a_file(
    tmp_path: Path, document: str, pipe: str, command: Sequence[str], reason: str
) -> None:
    (tmp_path / "it.yaml").write_text(document)
    os.mkfifo(tmp_path / pipe)
    ended = await asyncio.to_thread(run, tmp_path, *command)
    assert reason in ended.stderr + ended.stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
async def test_pipe_after_the_start(tmp_path: Path) -> None:
    """Reloads and validations found the pipe, waited for ever, and took a thread of everybody each."""
    control = "    - {type: control, port: 0, management: {reload: true, validate: true}}\n"
    document = "naftiko: 1.0.0-alpha2\ncapability:" + REST + control
    async with host_process(tmp_path, document) as host:
        os.mkfifo(tmp_path / "pipe.yaml")
        (tmp_path / "capability.yaml").write_text(IMPORT + control)
        for _ in range(8):
            request = b"POST /config/validate HTTP/1.1\r\nContent-Length: 0\r\n" + CLOSE + b"\r\n"
            assert b"not a regular file" in await exchange(host.port("control"), request)
        assert status_of(await exchange(host.port("front"), b"GET /a HTTP/1.1\r\n" + CLOSE + b"\r\n")) == 200
        assert await host.terminate() == 0


def test_client_that_does_not_read_standard_output(tmp_path: Path) -> None:
    """Its process ends on SIGTERM, though the write of a response has not ended."""
    (tmp_path / "it.yaml").write_text(
        "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n    - type: mcp\n      namespace: m\n      port: 0\n"
        f"      tools: [{{name: a, description: {'a' * 500_000}, outputParameters: [{{type: string, value: a}}]}}]\n"
    )
    command = [sys.executable, "-m", "adapter_host", "serve", "--stdio", "--drain-timeout", "1", "it.yaml"]
    initialize = (
        b'{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18", '
        b'"capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}}\n'
    )
    with subprocess.Popen(command, cwd=tmp_path, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, bufsize=0) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(initialize)
            process.stdout.readline()
            process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}\n')
            # The response has begun, and is longer than what the pipe holds.
            select.select([process.stdout], [], [])
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
