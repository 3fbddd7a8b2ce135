"""Serve an example with a mock server, call it over REST and over MCP, and serve until Ctrl-C.

Without a terminal on standard input, stop after the calls. Run it with `make demo`.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mcp import Client
from mcp_types import TextContent

ROOT = Path(__file__).parents[1]
CAPABILITY = "capabilities/netbird-checkout.yaml"
PORTS = {"netbird-checkout-rest": 8080, "netbird-checkout-mcp": 9090}
PATH = "/v1/api/integrations/billing/checkout"
TOOL = "create-checkout-session"
ORDER = {"baseURL": "https://app.example.com/plans/success", "priceID": "price_team"}


def main() -> int:
    """Run the demo; return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with TemporaryDirectory() as folder, serving(Path(folder, "ready.json")) as child:
        urls = wait_for(Path(folder, "ready.json"), child)
        if urls is None:
            return child.returncode or 1
        succeeded = call_rest(urls["netbird-checkout-rest"]) and asyncio.run(call_tool(urls["netbird-checkout-mcp"]))
        if sys.stdin.isatty():
            print("\nServing until Ctrl-C.", flush=True)
            with suppress(KeyboardInterrupt):
                child.wait()
            print()
    return 0 if succeeded and child.returncode == 0 else 1


@contextmanager
def serving(ready_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the real command as a child; it drains and stops at the end."""
    options = ["--capability", CAPABILITY, "--mock"]
    for namespace in in_use(PORTS):
        print(f"Port {PORTS[namespace]} is in use; {namespace} uses a free port.")
        options += ["--port", f"{namespace}=0"]
    print(f"$ adapter-host serve {shlex.join(options)}\n", flush=True)
    options += ["--ready-file", str(ready_file), "--log-level", "warning"]
    # In a new session, Ctrl-C reaches only the demo, which stops the child once.
    child = subprocess.Popen(
        [sys.executable, "-m", "adapter_host", "serve", *options], cwd=ROOT, start_new_session=True
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()


def in_use(ports: Mapping[str, int]) -> Sequence[str]:
    """Return the namespaces of ports that another process uses."""
    namespaces = []
    for namespace, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                namespaces.append(namespace)
    return namespaces


def wait_for(ready_file: Path, child: subprocess.Popen[bytes]) -> dict[str, str] | None:
    """Return the URLs by namespace once the child serves; None if it has exited."""
    while not ready_file.exists():
        try:
            child.wait(timeout=0.05)
            return None
        except subprocess.TimeoutExpired:
            continue
    exposers = json.loads(ready_file.read_bytes())["exposers"]
    return {exposer["namespace"]: exposer["url"] for exposer in exposers}


def call_rest(base: str) -> bool:
    """Call the REST route; return whether it succeeded."""
    url, body, headers = base + PATH, json.dumps(ORDER), {"Content-Type": "application/json"}
    line = ["curl", "-X", "POST", url, "-H", "Content-Type: application/json", "-d", body]
    print(f"Over REST:\n\n$ {shlex.join(line)}")
    request = urllib.request.Request(url, body.encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request) as response:
            print(f"{as_json(json.load(response))}\n")
        return True
    except urllib.error.HTTPError as error:
        print(f"{error.code} {error.reason}\n{error.read().decode()}\n")
        return False


async def call_tool(url: str) -> bool:
    """Call the tool with the official MCP client; return whether it succeeded."""
    async with Client(url) as client:
        tools = ", ".join(tool.name for tool in (await client.list_tools()).tools)
        result = await client.call_tool(TOOL, {"body": ORDER})
    print(f"Over MCP, at {url} (tools: {tools}):\n\n{TOOL} {as_json({'body': ORDER})}\n->")
    for content in result.content:
        print(
            as_json(json.loads(content.text)) if isinstance(content, TextContent) and not result.is_error else content
        )
    return not result.is_error


def as_json(data: Any) -> str:
    """Return data as indented JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
