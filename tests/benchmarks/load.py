"""Load: a number of connections with one request at a time each, for some seconds."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .machine import LOADING, found, pinned
from .server import Server, UnfitError
from .workload import Request

_SCRIPT: Final = """
wrk.method = {method}
wrk.body = {body}
{headers}
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("measured %d %d %d %.3f %.3f", summary.requests, summary.duration, failed,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """A measurement: requests per second, CPU microseconds per request, and latencies in ms."""

    rate: float
    cpu: float
    p50: float
    p99: float


def load(server: Server, request: Request, connections: int, seconds: int, folder: Path) -> Load:
    """Load a server; raise `UnfitError` if a request fails."""
    server.check(request)
    before = server.usage.cpu
    with pinned(LOADING):
        if found("wrk"):
            count, took, p50, p99 = _by_wrk(server, request, connections, seconds, folder)
        else:
            count, took, p50, p99 = asyncio.run(_by_hand(server, request, connections, seconds))
    used = server.usage.cpu - before
    server.check(request)
    return Load(rate=count / took, cpu=used / count, p50=p50, p99=p99)


def _by_wrk(
    server: Server, request: Request, connections: int, seconds: int, folder: Path
) -> tuple[int, float, float, float]:
    # The JSON text of these is also valid Lua.
    headers = "\n".join(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in request.wire.items())
    body = json.dumps(request.body.decode()) if request.body else "nil"
    path = folder / "request.lua"
    path.write_text(_SCRIPT.format(method=json.dumps(request.method), body=body, headers=headers))
    url = f"http://127.0.0.1:{request.port}{request.path}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(path), url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, took, failed, p50, p99 = output.rpartition("measured ")[2].split()
    if failed != "0" or count == "0":
        raise UnfitError(f"{server.name} failed {failed} requests of {count} at {request.path}")
    return int(count), int(took) / 1e6, float(p50), float(p99)


async def _by_hand(server: Server, request: Request, connections: int, seconds: int) -> tuple[int, float, float, float]:
    given = {"Host": f"127.0.0.1:{request.port}", **request.wire, "Content-Length": str(len(request.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    sent = f"{request.method} {request.path} HTTP/1.1\r\n{lines}\r\n".encode() + request.body
    began = time.perf_counter()
    workers = [_work(server, request.port, sent, began + seconds) for _ in range(connections)]
    times = sorted(one for found in await asyncio.gather(*workers) for one in found)
    took = time.perf_counter() - began
    return len(times), took, times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000


async def _work(server: Server, port: int, sent: bytes, end: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    while (began := time.perf_counter()) < end:
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
        if b" 200 " not in head.partition(b"\r")[0] or not length:
            raise UnfitError(f"{server.name} responds with {head.decode()!r}")
        await reader.readexactly(int(length))
        times.append(time.perf_counter() - began)
    writer.close()
    return times
