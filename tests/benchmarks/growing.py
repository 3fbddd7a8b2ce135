"""Growth: more capabilities, more operations, larger responses, more workers."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from .contenders import COMMAND
from .documents import dense, many, sized
from .load import load
from .machine import CORES, SERVED
from .results import Run
from .server import Server, free_port
from .workload import Request, order, tool_call, written

OPERATIONS: Final = 10
"""The number of operations of each capability in the test with many capabilities; half routes, half tools."""

_CONNECTIONS: Final = 16
_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class _Growth:
    """The state of a run."""

    run: Run
    folder: Path
    upstream: str

    def add(self, kind: str, shown: dict[str, str], **measured: float) -> None:
        """Record a result as numbers and as table cells."""
        print(f"{kind}: {', '.join(f'{name} {text}' for name, text in shown.items())}", file=sys.stderr, flush=True)
        self.run.growth.append({"kind": kind, "shown": shown, **measured})

    def capabilities(self, count: int) -> None:
        """Measure many documents in one host, all on one port."""
        port, middle = free_port(), count // 2
        folder = self.folder / f"capabilities-{count}"
        folder.mkdir()
        for number in range(count):
            document = many(self.upstream, f"{number:04}", OPERATIONS, OPERATIONS // 2, port)
            (folder / f"{number:04}.yaml").write_text(_written(document))
        asked = order(port, f"/rest-{middle:04}/orders/1")
        self._serve(f"Capabilities of {OPERATIONS} operations", f"{count:,}", folder, [asked])

    def operations(self, count: int) -> None:
        """Measure one document with many operations, each a route and a tool."""
        port = free_port()
        path = self.folder / f"operations-{count}.yaml"
        path.write_text(_written(many(self.upstream, "all", count, count, port)))
        asked = order(port, f"/rest-all/orders/{count // 2}")
        called = tool_call(port, f"place-{count // 2}", path="/mcp-all/mcp")
        self._serve("Operations of one capability", f"{count:,}", path, [asked, called])

    def schemas(self, operations: int, count: int) -> None:
        """Measure a document with many schemas that refer to each other: most of the time to load it is theirs."""
        port = free_port()
        path = self.folder / f"schemas-{count}.yaml"
        path.write_text(_written(dense(self.upstream, operations, count, port)))
        label = f"{operations:,} with {count:,} schemas"
        self._serve("Operations with schemas that refer to each other", label, path, [order(port, "/orders/0")])

    def workers(self, count: int) -> None:
        """Measure worker processes that share the port."""
        port = free_port()
        path = self.folder / f"workers-{count}.yaml"
        path.write_text(_written(many(self.upstream, "all", 1, 1, port)))
        if "--workers" not in subprocess.run([COMMAND, "serve", "--help"], capture_output=True, text=True).stdout:
            print(f"left out: {count} workers (serve knows no --workers)", file=sys.stderr)
            return
        options = ["--workers", str(count)]
        self._serve("Workers", f"{count}", path, [order(port, "/rest-all/orders/0")], options, CORES[:count])

    def _serve(
        self, kind: str, label: str, path: Path, asked: Sequence[Request],
        options: Sequence[str] = (), cores: Sequence[int] = (SERVED,),
    ) -> None:  # fmt: skip
        server = Server(f"{label} ({kind})", [str(COMMAND), "serve", str(path), *options], cores=cores)
        try:
            seconds = server.start(asked[0])
            memory = server.usage.memory
            loads = [load(server, request, _CONNECTIONS, _SECONDS, self.folder) for request in asked]
        finally:
            server.stop()
        shown = {"": label, "ready s": f"{seconds:.2f}", "MiB": f"{memory:.0f}"}
        for name, found in zip(("REST", "MCP"), loads, strict=False):
            shown |= {f"{name} requests/s": f"{found.rate:,.0f}", f"{name} CPU µs": f"{found.cpu:,.0f}"}
        self.add(kind, shown, ready=seconds, memory=memory, rate=loads[0].rate, cpu=loads[0].cpu)

    def responses(self, sizes: Sequence[int]) -> None:
        """Measure large responses, passed on and mapped."""
        port = free_port()
        (self.folder / "files").mkdir()
        for size in sizes:
            (self.folder / f"files/{size}").write_bytes(_filler(size))
        path = self.folder / "responses.yaml"
        path.write_text(_written(sized(self.upstream, port)))
        server = Server("large responses", [str(COMMAND), "serve", str(path)])
        try:
            server.start(Request(port, f"/passed/{sizes[0]}", "GET", expected=b"items"))
            for size in sizes:
                passed, mapped = (_fetched(server, port, f"/{way}/{size}") for way in ("passed", "mapped"))
                shown = {"": _shown(size), **passed.shown("passed on"), **mapped.shown("mapped")}
                self.add("Responses of the API", shown, passed_peak=passed.peak, mapped_peak=mapped.peak)
        finally:
            server.stop()


@dataclass(frozen=True, slots=True)
class _Fetched:
    """One response: its body, duration, and the peak MiB of the server."""

    status: int
    size: int
    seconds: float
    peak: float

    def shown(self, name: str) -> dict[str, str]:
        """Return the cells of the table."""
        return {
            f"{name}: status": str(self.status),
            f"{name}: bytes": f"{self.size:,}",
            f"{name}: ms": f"{self.seconds * 1000:,.0f}",
            f"{name}: peak MiB": f"{self.peak:.0f}",
        }


def _fetched(server: Server, port: int, path: str) -> _Fetched:
    server.usage.forget_peak()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    size = 0
    while chunk := response.read(65536):
        size += len(chunk)
    connection.close()
    return _Fetched(response.status, size, time.perf_counter() - began, server.usage.peak)


def _written(document: dict[str, Any]) -> str:
    # With libyaml, because loading many documents takes long.
    written: str = yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
    return written


def _filler(size: int) -> bytes:
    """Return a document of an exact size."""
    item = written({"sku": "A-100", "quantity": 2, "price": 9.5, "note": "before noon"})
    start, end = b'{"items":[', b'],"end":"%b"}'
    count = (size - len(start) - len(end)) // (len(item) + 1)
    items = start + b",".join([item] * count)
    return items + end % (b"." * (size - len(items) - len(end) + 2))


def _shown(size: int) -> str:
    return f"{size // 10**6} MB" if size >= 10**6 else f"{size // 1000} kB"


def grow(run: Run, folder: Path, upstream: int, *, quick: bool) -> None:
    """Measure growth and add the results to the run."""
    growth = _Growth(run, folder, f"http://127.0.0.1:{upstream}")
    for count in (1, 100) if quick else (1, 100, 1000):
        growth.capabilities(count)
    growth.operations(1)
    growth.operations(1000)
    growth.schemas(240, 150)
    growth.responses([1000, 100_000, 10_000_000] if quick else [1000, 100_000, 10_000_000, 100_000_000])
    for count in (1, 2):
        growth.workers(count)
