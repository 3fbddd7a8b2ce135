"""A shop capability, its upstream API, and the command as a process that serves it."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

HEAD = """\
naftiko: 1.0.0-alpha2
info: {label: Shop}
capability:
  binds:
    - namespace: env
      keys: {TOKEN: SHOP_TOKEN}
  consumes:
    - type: http
      namespace: api
      baseUri: http://api.example.com/v1
      authentication: {type: bearer, token: "{{env.TOKEN}}"}
      resources:
"""
"""The start of a document that consumes `api` with a secret; append resources."""

DOCUMENT = (
    HEAD
    + """\
        - name: things
          path: /things
          operations:
            - {name: list, method: GET}
  exposes:
    - type: rest
      namespace: shop
      port: 0
      resources:
        - path: /things
          operations:
            - {method: GET, name: list-things, call: api.list}
    - type: mcp
      namespace: tools
      port: 0
      tools:
        - {name: list-things, description: Lists things, call: api.list}
"""
)
SECRET = {"SHOP_TOKEN": "s3cr3t"}


class Upstream:
    """The consumed API; it records requests, and blocks them while `release` is not set."""

    def __init__(self) -> None:
        self.url = ""
        self.authorizations: list[str | None] = []
        self.peers: set[tuple[str, int]] = set()
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.release.set()

    async def respond(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization"))
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        self.reached.set()
        await self.release.wait()
        return web.json_response(["one", "two"])


class Serving:
    """A process that runs `adapter-host serve`."""

    def __init__(self, process: Process, ready: Path) -> None:
        self.process = process
        self.ready = ready
        self._heard = bytearray()
        self.urls = {each["namespace"]: each["url"] for each in json.loads(ready.read_text())["exposers"]}

    async def get(self, path: str = "/things") -> tuple[int, Any]:
        """Send a request to the REST exposer on a new connection."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.urls['shop']}{path}") as response:
            return response.status, await response.json()

    async def wait_for_log(self, text: str, times: int = 1) -> str:
        """Wait for lines of the log that contain a text, and return the last one."""
        assert self.process.stderr is not None
        line = b""
        while times:
            line = await asyncio.wait_for(self.process.stderr.readline(), 20)
            assert line, f"it ended without saying {text!r}: {self._heard.decode()}"
            self._heard += line
            times -= text in line.decode()
        return line.decode()

    async def wait_until_exit(self) -> tuple[int, str]:
        """Wait for the exit, and return the exit code and the log."""
        out, err = await self.process.communicate()
        err = bytes(self._heard) + err
        assert out == b""
        assert b"s3cr3t" not in err
        return self.process.returncode or 0, err.decode()


async def wait_for_file(file: Path, process: Process) -> None:
    """Wait for a file of a process, for which there is no event."""
    async with asyncio.timeout(20):
        while not file.exists():  # noqa: ASYNC240
            if process.returncode is not None:
                _, err = await process.communicate()
                raise AssertionError(f"it ended with {process.returncode}: {err.decode()}")
            await asyncio.sleep(0.01)


Serve = Callable[..., AbstractAsyncContextManager[Serving]]
