"""Run the official MCP conformance suite against the command, for each protocol revision and the extensions."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from aiohttp import web

HERE: Final = Path(__file__).parent
SUITE: Final = HERE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
EXPECTED: Final = HERE / "expected-failures.yaml"
REVISIONS: Final = ("2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
EXTENSIONS: Final = "extensions"
"""Runs the scenarios of extensions, which belong to no revision."""

ENVIRONMENT: Final = {**os.environ, "PYTHONPATH": str(HERE / "plugin")}
RESPONSES: Final = {
    "text": (200, "text/plain", b"This is a simple text response for testing."),
    "image": (200, "image/png", b"\x89PNG\r\n\x1a\n"),
    "sound": (200, "audio/wav", b"RIFF\x24\x00\x00\x00WAVE"),
    "bytes": (200, "application/octet-stream", b"\x00\xff"),
    "failure": (500, "text/plain", b"This tool intentionally returns an error for testing"),
}


async def response(request: web.Request) -> web.Response:
    status, kind, body = RESPONSES[request.match_info["kind"]]
    return web.Response(status=status, content_type=kind, body=body)


async def greet(request: web.Request) -> web.Response:
    return web.Response(text=f"Hello, {request.match_info['name']}!")


async def find(request: web.Request) -> web.Response:
    return web.json_response({"id": request.match_info["id"], "templateTest": True})


class Jobs:
    """Jobs of the upstream API, each done after a number of seconds unless it is cancelled."""

    def __init__(self) -> None:
        self._jobs: list[dict[str, Any]] = []

    async def start(self, request: web.Request) -> web.Response:
        job = await request.json()
        if not job["seconds"]:
            return web.json_response({"state": "done"})
        self._jobs.append({**job, "ends": asyncio.get_running_loop().time() + job["seconds"], "cancelled": False})
        return web.json_response({"id": len(self._jobs) - 1}, status=202)

    async def read(self, request: web.Request) -> web.Response:
        job = self._jobs[int(request.match_info["id"])]
        if job["cancelled"]:
            return web.json_response({"state": "cancelled"})
        if asyncio.get_running_loop().time() < job["ends"]:
            return web.json_response({"state": "running"})
        if job["kind"] == "broken":
            return web.Response(body=b"{", content_type="application/json")
        return web.json_response({"state": job["kind"], "output": "computed"})

    async def cancel(self, request: web.Request) -> web.Response:
        self._jobs[int(request.match_info["id"])]["cancelled"] = True
        return web.Response(status=204)


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """Serve the upstream API; yield its URL."""
    app = web.Application()
    app.router.add_get("/data/{id}", find)
    jobs = Jobs()
    app.router.add_post("/jobs", jobs.start)
    app.router.add_get("/jobs/{id}", jobs.read)
    app.router.add_delete("/jobs/{id}", jobs.cancel)
    app.router.add_get("/greetings/{name}", greet)
    app.router.add_get("/{kind}", response)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def served(base_uri: str) -> AsyncIterator[str]:
    """Serve the capability with the installed command; yield its URL."""
    command = [str(Path(sys.executable).with_name("adapter-host")), "serve", str(HERE / "capability.yaml")]
    options = ["--base-uri", f"upstream={base_uri}", "--log-level", "warning"]
    process = await asyncio.create_subprocess_exec(*command, *options, env=ENVIRONMENT, stdout=DEVNULL, stderr=PIPE)
    try:
        assert process.stderr is not None
        yield await found_url(process.stderr)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
    if process.returncode:
        sys.exit(f"the host ended with {process.returncode}")


async def found_url(output: asyncio.StreamReader) -> str:
    """Return the URL from the output of the command."""
    async with asyncio.timeout(30):
        async for line in output:
            if match := re.search(rb"http://\S+/mcp", line):
                return match[0].decode()
    sys.exit("the host did not start")


def node() -> str:
    """Return a Node for the suite: the pinned one if available for this machine."""
    pinned = sorted(HERE.glob("node_modules/node-*/bin/node"))
    return str(pinned[0]) if pinned else "node"


async def run(revision: str, url: str, folder: Path) -> tuple[bool, str]:
    """Run the suite for a revision, or for the extensions; return whether it passed, and its output."""
    if revision != EXTENSIONS:
        return await run_suite(url, folder, "--suite", "all", "--spec-version", revision)
    runs = [await run_suite(url, folder, "--scenario", name) for name in await extension_scenarios()]
    return all(passed for passed, _ in runs), "".join(output for _, output in runs)


async def run_suite(url: str, folder: Path, *selection: str) -> tuple[bool, str]:
    options = ["--expected-failures", str(EXPECTED), "--output-dir", str(folder)]
    return await execute("server", "--url", url, *selection, *options)


async def extension_scenarios() -> list[str]:
    """Return the names of the suite's scenarios for extensions of servers."""
    passed, output = await execute("list")
    servers, _, _ = output.partition("Client scenarios")
    names = re.findall(r"^ *- (\S+) \[extension\]$", servers, re.MULTILINE)
    if not passed or not names:
        sys.exit(f"the suite lists no scenarios of extensions: {output}")
    return names


async def execute(*arguments: str) -> tuple[bool, str]:
    """Run the command of the suite; return whether it passed, and its output."""
    command = [node(), str(SUITE), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    output, _ = await process.communicate()
    return process.returncode == 0, output.decode(errors="replace")


def count(folder: Path) -> tuple[Counter[str], list[str]]:
    """Return the number of checks by outcome, and the failed and warned ones."""
    counts: Counter[str] = Counter()
    remarks = []
    for path in sorted(folder.rglob("checks.json")):
        for check in json.loads(path.read_text()):
            counts[check["status"]] += 1
            if check["status"] in ("FAILURE", "WARNING"):
                remarks.append(f"  {path.parent.name}: {check['id']}: {check.get('errorMessage')}")
    return counts, remarks


async def run_all(revisions: Sequence[str]) -> bool:
    """Run the suite for each revision; return whether all passed."""
    well = True
    async with upstream() as base_uri, served(base_uri) as url:
        for revision in revisions:
            with tempfile.TemporaryDirectory() as folder:
                passed, output = await run(revision, url, Path(folder))
                counts, remarks = count(Path(folder))
            # A suite without checks would also pass.
            passed = passed and counts["SUCCESS"] > 0
            summary = ", ".join(f"{number} {outcome.lower()}" for outcome, number in sorted(counts.items()))
            print(f"{revision}: {'as expected' if passed else 'NOT as expected'}: {summary}", *remarks, sep="\n")
            if not passed:
                print(output)
            well = well and passed
    return well


def unexplained() -> list[str]:
    """Return the expected failures without a comment above them."""
    lines = [line.strip() for line in EXPECTED.read_text().splitlines()]
    return [line for before, line in pairwise(lines) if line.startswith("- ") and not before.startswith("#")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="*", default=(*REVISIONS, EXTENSIONS))
    revisions = parser.parse_args().revision
    if not SUITE.exists():
        sys.exit("the suite is not installed: `make conformance` does that (it needs npm)")
    if found := unexplained():
        sys.exit(f"{EXPECTED.name}: each scenario needs a comment with the reason above it: {', '.join(found)}")
    sys.exit(not asyncio.run(run_all(revisions)))


if __name__ == "__main__":
    main()
