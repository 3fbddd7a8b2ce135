"""Replicas behind nginx, with a store and an upstream API that counts its requests; each fault is a method."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.redis_server import RedisServer

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
QUOTA = 300
KEYS = {"ADAPTER_HOST_STATE_KEY": "k" * 44}

_DOCUMENT = """\
naftiko: 1.0.0-alpha2
info: {{label: Shop}}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: {upstream}
      resources:
        - name: things
          path: /things/{{{{id}}}}
          operations:
            - {{name: read, method: GET, inputParameters: [{{name: id, in: path}}]}}
            - {{name: write, method: POST, inputParameters: [{{name: id, in: path}}]}}
  exposes:
    - type: rest
      namespace: rest
      port: 0
      resources:
        - path: /things/{{{{id}}}}
          inputParameters: [{{name: id, in: path, type: string}}]
          operations:
            - {{method: GET, name: read, call: api.read, with: {{id: "{{{{id}}}}"}}}}
            - {{method: POST, name: write, call: api.write, with: {{id: "{{{{id}}}}"}}}}
        - path: /shared/{{{{id}}}}
          inputParameters: [{{name: id, in: path, type: string}}]
          operations:
            - {{method: GET, name: shared, call: api.read, with: {{id: "{{{{id}}}}"}}, x-resilience: {quota}}}
        - path: /split/{{{{id}}}}
          inputParameters: [{{name: id, in: path, type: string}}]
          operations:
            - {{method: GET, name: split, call: api.read, with: {{id: "{{{{id}}}}"}}, x-resilience: {quota}}}
    - type: mcp
      namespace: mcp
      port: 0
      tools:
        - name: read
          description: "Reads a thing{comment}"
          inputParameters: [{{name: id, type: string, description: The id}}]
          call: api.read
          with: {{id: "{{{{id}}}}"}}
        - name: write
          description: Writes a thing
          inputParameters: [{{name: id, type: string, description: The id}}]
          call: api.write
          with: {{id: "{{{{id}}}}"}}
    - {{type: control, namespace: control, port: 0, management: {{info: true}}}}
"""

_NGINX = """\
daemon off;
pid nginx.pid;
error_log error.log warn;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{servers}
}}
"""

_SERVER = """\
    upstream {name} {{
{replicas}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{name};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_next_upstream error timeout;
        }}
    }}
"""


class Upstream:
    """The consumed API: it counts the requests for each thing."""

    def __init__(self) -> None:
        self.url = ""
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()

    async def respond(self, request: web.Request) -> web.Response:
        counter = self.writes if request.method == "POST" else self.reads
        counter[request.match_info["id"]] += 1
        return web.json_response({"id": request.match_info["id"]})


class Link:
    """A proxy between the replicas and the store that can drop everything, as a broken network does."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def cut(self) -> None:
        """Forward nothing any more; connections stay open."""
        self._open.clear()

    def mend(self) -> None:
        """Forward again, including the data that was sent meanwhile."""
        self._open.set()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        writers = [writer]
        try:
            await self._open.wait()
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(to_writer)
            ways = [asyncio.create_task(self._forward(*way)) for way in ((reader, to_writer), (to_reader, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            # The store is stopped, or the test ends.
            pass
        finally:
            for each in writers:
                each.transport.abort()
                with suppress(OSError):
                    await each.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()


class Cluster:
    """Replicas that share a store, behind nginx; `rest` and `mcp` are the URLs of the balancer."""

    def __init__(self, folder: Path, size: int, upstream: Upstream, redis: RedisServer, link: Link) -> None:
        names = [f"{name}{number}" for number in range(size) for name in ("rest", "mcp", "control")]
        ports = dict(zip((*names, "rest", "mcp"), _free_ports(len(names) + 2), strict=True))
        self.rest = f"http://127.0.0.1:{ports['rest']}"
        self.mcp = f"http://127.0.0.1:{ports['mcp']}/mcp"
        self.upstream, self.redis, self.link = upstream, redis, link
        self.size = size
        self._folder = folder
        self._ports = ports
        self._processes: dict[int, Process] = {}

    def configure(self, comment: str = "") -> None:
        """Write the capability; `comment` is a part of the description of a tool."""
        quota = f"{{rate: {{calls: {QUOTA}, per: 36000, shared: true, wait: 0}}}}"
        text = _DOCUMENT.format(upstream=self.upstream.url, quota=quota, comment=f", {comment}" if comment else "")
        (self._folder / "capability.yaml").write_text(text)

    async def start(self, number: int) -> None:
        """Start a replica; return when it serves."""
        ready = self._folder / f"ready{number}.json"
        ready.unlink(missing_ok=True)
        ports = [f"--port={name}={self._ports[f'{name}{number}']}" for name in ("rest", "mcp", "control")]
        with (self._folder / f"replica{number}.log").open("ab") as log:
            self._processes[number] = process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "adapter_host", "serve", "capability.yaml", "--ready-file", ready.name, *ports,
                f"--state=redis://127.0.0.1:{self.link.port}", stdout=log, stderr=log, cwd=self._folder,
                env={**os.environ, **KEYS},
            )  # fmt: skip
        await _until_file(ready, process)

    async def kill(self, number: int) -> None:
        """End a replica at once, with its calls in flight."""
        self._processes[number].kill()
        await self._processes[number].wait()

    async def stop(self, number: int) -> None:
        """End a replica after its calls in flight."""
        self._processes[number].terminate()
        assert await self._processes[number].wait() == 0

    async def reload(self, number: int) -> dict[str, Any]:
        """Let a replica read the capability again; return its status when it serves it."""
        before = await self.status(number)
        self._processes[number].send_signal(signal.SIGHUP)
        while (after := await self.status(number)) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return after

    async def status(self, number: int) -> dict[str, Any]:
        """Return the configuration that a replica serves."""
        url = f"http://127.0.0.1:{self._ports[f'control{number}']}/status"
        async with aiohttp.ClientSession() as client, client.get(url) as response:
            configuration: dict[str, Any] = (await response.json())["configuration"]
            return configuration

    def logs(self) -> str:
        """Return the logs of all replicas."""
        return "".join((self._folder / f"replica{number}.log").read_text() for number in range(self.size))

    @asynccontextmanager
    async def balanced(self) -> AsyncIterator[None]:
        """Run nginx and the replicas until the block ends."""
        assert NGINX is not None
        servers = "".join(
            _SERVER.format(name=name, port=self._ports[name], replicas=self._upstreams(name))
            for name in ("rest", "mcp")
        )
        (self._folder / "nginx.conf").write_text(_NGINX.format(servers=servers))
        nginx = await asyncio.create_subprocess_exec(
            NGINX, "-p", str(self._folder), "-c", "nginx.conf", stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            await asyncio.gather(*map(self.start, range(self.size)))
            yield
        finally:
            for process in (nginx, *self._processes.values()):
                if process.returncode is None:
                    process.terminate() if process is nginx else process.kill()
                await process.wait()

    def _upstreams(self, name: str) -> str:
        # Nginx tries a replica that is away for each request, so that it is used as soon as it is back.
        return "\n".join(
            f"        server 127.0.0.1:{self._ports[f'{name}{number}']} max_fails=0;" for number in range(self.size)
        )


@asynccontextmanager
async def running_cluster(folder: Path, size: int) -> AsyncIterator[Cluster]:
    """Run a cluster of `size` replicas until the block ends."""
    upstream = Upstream()
    app = web.Application()
    app.router.add_route("*", "/things/{id}", upstream.respond)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(TestServer(app))
        upstream.url = str(server.make_url("")).rstrip("/")
        redis = stack.enter_context(_running_redis(folder))
        link = Link(redis.port)
        await stack.enter_async_context(link.served())
        cluster = Cluster(folder, size, upstream, redis, link)
        cluster.configure()
        await stack.enter_async_context(cluster.balanced())
        yield cluster


@contextmanager
def _running_redis(folder: Path) -> Iterator[RedisServer]:
    redis = RedisServer(folder)
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()


def _free_ports(count: int) -> list[int]:
    """Return free ports; the processes that use them start again, so none of them can choose its own."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


async def _until_file(file: Path, process: Process) -> None:
    while not file.exists():  # noqa: ASYNC240
        assert process.returncode is None, "a replica has ended; see its log"
        await asyncio.sleep(0.02)
