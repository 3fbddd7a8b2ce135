"""The contenders: servers, and the requests to each."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.support.paths import ROOT

from . import nginx
from .documents import orders
from .machine import found
from .server import Server, free_port, script
from .workload import OPENAPI, Request, order, tool_call, wide

FASTMCP: Final = ROOT / ".cache/fastmcp/bin/python"
GATEWAY: Final = ROOT / ".cache/gateway/bin/python"
COMMAND: Final = Path(sys.executable).with_name("adapter-host")

LIMIT: Final = "nginx, reverse proxy"
PASSED: Final = "aiohttp by hand, passed on"
MAPPED: Final = "aiohttp by hand, mapped"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to call a server; `peer` is the hand-written proxy that does the same."""

    name: str
    server: Server
    request: Request
    peer: str = MAPPED

    @property
    def ours(self) -> bool:
        """Whether the contender is adapter-host."""
        return self.name.startswith("adapter-host")


def contenders(folder: Path, upstream: int) -> list[Contender]:
    """Return all contenders that can run here; ways to call the same server share one object."""
    return [*_limits(folder, upstream), *_ours(folder, upstream), *_others(folder, upstream)]


def without() -> list[str]:
    """Return the contenders that are left out, with reasons."""
    reasons = {
        f"{LIMIT} (there is no nginx)": found("nginx"),
        "FastMCP (make .cache/fastmcp/.installed)": FASTMCP.exists(),
        "httpx gateway (make .cache/gateway/.installed)": GATEWAY.exists(),
    }
    return [name for name, present in reasons.items() if not present]


def _limits(folder: Path, upstream: int) -> list[Contender]:
    hand, bare = free_port(), free_port()
    proxy = Server("the hand-written proxy", script("proxy", str(hand), f"http://127.0.0.1:{upstream}"))
    least = Server("bare aiohttp", script("bare", str(bare)))
    limits = [
        Contender("aiohttp, no API behind it", least, order(bare, "/orders")),
        Contender(PASSED, proxy, order(hand, "/passed"), PASSED),
        Contender(MAPPED, proxy, order(hand, "/mapped")),
    ]
    if found("nginx"):
        port = free_port()
        limits.insert(0, Contender(LIMIT, Server("nginx", nginx.proxy(folder, port, upstream)), order(port, "/orders")))
    return limits


def _ours(folder: Path, upstream: int) -> list[Contender]:
    rest, mcp, app, logged = free_port(), free_port(), free_port(), free_port()
    document = folder / "orders.yaml"
    document.write_text(yaml.safe_dump(orders(f"http://127.0.0.1:{upstream}", rest, mcp), sort_keys=False))
    # The others write no line for each request either.
    served = Server("adapter-host", [str(COMMAND), "serve", "--no-access-log", str(document)])
    ports = [f"--port=rest={logged}", "--port=mcp=0"]
    logging = Server("adapter-host with an access log", [str(COMMAND), "serve", *ports, str(document)])
    embedded = Server("adapter-host, embedded", script("embedded", str(app), str(document)))
    ours = [
        Contender("adapter-host, REST, passed on", served, order(rest, "/passed"), PASSED),
        Contender("adapter-host, REST, 20 properties", served, wide(rest, "/passed"), PASSED),
        Contender("adapter-host, REST, 20 properties, x-schema", served, wide(rest, "/checked"), PASSED),
        Contender("adapter-host, REST, mapped", served, order(rest, "/mapped")),
        Contender("adapter-host, REST, mapped, with an access log", logging, order(logged, "/mapped")),
        Contender("adapter-host, REST, mapped, by aiohttp's client", served, order(rest, "/mapped-by-aiohttp")),
        Contender("adapter-host, embedded, REST, mapped", embedded, order(app, "/api/rest/mapped")),
    ]
    for tool, behind in (("place_order", "mapped"), ("show_order", "no API")):
        for stateless in (False, True):
            name = f"adapter-host, MCP, {'stateless' if stateless else 'handshake'}, {behind}"
            ours.append(Contender(name, served, tool_call(mcp, tool, stateless=stateless)))
    return ours


def _others(folder: Path, upstream: int) -> list[Contender]:
    url = f"http://127.0.0.1:{upstream}"
    others = []
    if GATEWAY.exists():
        port = free_port()
        server = Server("the httpx gateway", script("gateway", str(port), url, python=GATEWAY))
        others.append(Contender("Starlette, uvicorn and httpx, mapped", server, order(port, "/mapped")))
    if FASTMCP.exists():
        port = free_port()
        description = folder / "openapi.json"
        description.write_text(json.dumps(OPENAPI))
        server = Server("FastMCP", script("fastmcp_server", str(port), url, str(description), python=FASTMCP))
        others.append(Contender("FastMCP from OpenAPI, MCP, passed on", server, tool_call(port, "place_order")))
    return others
