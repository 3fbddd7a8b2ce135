"""Faults of replicas and of their store under load, and the guarantees that hold all the time.

Run `python -m tests.replicas.chaos --writes 20000` for the long form.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from mcp import Client

from .cluster import NGINX, QUOTA, Cluster, running_cluster
from .load import Clients, Results, loaded

PROGRESS = 20
"""The number of writes that must be made during each fault."""

IN_FLIGHT = 6
"""The requests that a killed replica may have had: one of each client."""


@dataclass
class Report:
    """The results of all rounds."""

    size: int
    seconds: float = 0.0
    rounds: int = 0
    results: Results = field(default_factory=Results)
    doubled: int = 0
    lost: int = 0
    allowed_together: int = 0
    allowed_apart: int = 0

    def violations(self) -> list[str]:
        """Return the guarantees that do not hold."""
        results = self.results
        elsewhere = sum(count for (phase, _, _), count in results.failures.items() if phase not in ("kill", "drain"))
        not_found = sum(count for (_, _, reason), count in results.failures.items() if reason == "404")
        checks = {
            f"{self.doubled} doubled writes": self.doubled,
            f"{self.lost} writes lost without an error": self.lost,
            f"{results.failed('read')} failed reads": results.failed("read"),
            f"{elsewhere} failures without a killed replica": elsewhere,
            f"{results.failed(*_POSTS, during='kill')} failures in flight": (
                results.failed(*_POSTS, during="kill") > IN_FLIGHT * self.rounds
            ),
            # A connection that arrives in the moment of the close may be reset, and nginx does not repeat a POST.
            f"{results.failed(*_POSTS, during='drain')} failures during rolling restarts": (
                results.failed(*_POSTS, during="drain") > self.size * self.rounds
            ),
            f"{not_found} sessions not found": not_found,
            f"{self.allowed_together} of {QUOTA} calls allowed with the store": not (
                QUOTA <= self.allowed_together <= QUOTA * 1.01
            ),
            f"{self.allowed_apart} of {QUOTA} calls allowed without the store": not (
                QUOTA / self.size <= self.allowed_apart <= QUOTA * 1.01
            ),
            "no change was announced": not results.notified,
        }
        return [text for text, wrong in checks.items() if wrong]

    def __str__(self) -> str:
        results = self.results
        lines = [
            f"{self.seconds:.0f} s, {self.rounds} rounds, {self.size} replicas",
            f"reads: {results.reads}, failed: {results.failed('read')} over REST, "
            f"{results.failed('session read')} over MCP",
            f"writes: {results.writes}, with an error: {len(results.refused)}, doubled: {self.doubled}, "
            f"lost without an error: {self.lost}",
            f"quota of {QUOTA}: {self.allowed_together} allowed with the store, {self.allowed_apart} without",
            f"changes announced: {results.notified}",
            *(f"failed during {' '.join(key)}: {count}" for key, count in sorted(results.failures.items())),
        ]
        return "\n".join(lines)


_POSTS = ("write", "session read", "session write")


async def run(folder: Path, *, size: int = 3, writes: int = 0, pause: float = 0.0) -> Report:
    """Go through all faults of `size` replicas under load, again until there are so many writes.

    Each client waits `pause` seconds before a request, so that replicas start faster.
    """
    report = Report(size)
    began = time.monotonic()
    async with running_cluster(folder, size) as cluster, loaded(cluster, pause) as clients:
        report.results = clients.results
        while not report.rounds or clients.results.writes < writes:
            await _round(cluster, clients, report)
            report.rounds += 1
        report.seconds = time.monotonic() - began
        clients.stop()
    recorded = cluster.upstream.writes
    report.doubled = sum(count - 1 for count in recorded.values())
    report.lost = sum(not recorded[thing] for thing in clients.results.written)
    return report


async def _round(cluster: Cluster, clients: Clients, report: Report) -> None:
    first = not report.rounds
    await _progress(clients, "no fault")
    if first:
        report.allowed_together = await clients.count_allowed("shared", QUOTA + 100)
    clients.results.phase = "kill"
    await cluster.kill(0)
    await _progress(clients, "kill")
    await _progress(clients, "one replica less")
    await cluster.start(0)
    # A replica knows how many there are once it has used the store.
    await clients.count_allowed("shared", 10 * cluster.size)
    cluster.redis.pause()
    await _progress(clients, "store paused")
    if first:
        report.allowed_apart = await clients.count_allowed("split", QUOTA + 100)
    cluster.redis.resume()
    cluster.link.cut()
    await _progress(clients, "store cut off")
    cluster.link.mend()
    cluster.redis.stop()
    await _progress(clients, "store stopped")
    cluster.redis.start()
    await _progress(clients, "store started")
    await _reload(cluster, clients, report.rounds)
    clients.results.phase = "drain"
    for number in range(cluster.size):
        await cluster.stop(number)
        await cluster.start(number)
    await _progress(clients, "drain")
    clients.results.phase = "after the drain"


async def _reload(cluster: Cluster, clients: Clients, number: int) -> None:
    """Describe a tool in other words, at one replica after the other."""
    clients.results.phase = "reload"
    cluster.configure(comment=f"configuration {number}")
    statuses = [await cluster.reload(each) for each in range(cluster.size)]
    assert len({status["digest"] for status in statuses}) == 1, statuses
    headers = await clients.open_session()
    for _ in range(2 * cluster.size):
        assert await clients.describe_tools(headers) == [f"Reads a thing, configuration {number}", "Writes a thing"]
    await _end_session(cluster, clients, headers)
    for mode in ("legacy", "auto"):
        async with Client(cluster.mcp, mode=mode) as client:
            for _ in range(2 * cluster.size):
                assert not (await client.call_tool("read", {"id": "read"})).is_error
    await _progress(clients, "reload")


async def _end_session(cluster: Cluster, clients: Clients, headers: dict[str, str]) -> None:
    """End a session; replicas that do not use the store again yet say so, all others know that it has ended."""
    statuses = [await clients.end_session(headers)]
    while statuses[-1] == 503:
        await asyncio.sleep(0.05)
        statuses.append(await clients.end_session(headers))
    assert statuses[-1] == 204, statuses
    gone = 0
    while gone < 2 * cluster.size:
        status = await clients.end_session(headers)
        assert status in (404, 503), status
        gone = gone + 1 if status == 404 else 0


async def _progress(clients: Clients, phase: str) -> None:
    """Wait until some writes have been made."""
    clients.results.phase = phase
    target = clients.results.writes + PROGRESS
    while clients.results.writes < target:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def main() -> None:
    """Run the long form, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.replicas.chaos", description=__doc__)
    parser.add_argument("--writes", type=int, default=20_000, help="(default: 20000)")
    arguments = parser.parse_args()
    if NGINX is None:
        parser.error("nginx is not installed (Debian: apt-get install nginx-light)")
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(Path(folder), writes=arguments.writes))
    print(report)
    violations = report.violations()
    raise SystemExit("\n".join(violations) if violations else 0)


if __name__ == "__main__":
    main()
