"""The comparison: all contenders in turn, repeatedly, so that noise affects all of them equally."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import nginx
from .contenders import Contender
from .load import load
from .machine import LOADING, found
from .results import Run, Sample, Standing
from .server import Server, free_port, script
from .workload import RESPONSE, TOKEN, Request, order, written


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: rounds of seconds at each number of connections, and the number of starts."""

    rounds: int
    seconds: int
    connections: tuple[int, ...]
    starts: int


@contextmanager
def api(folder: Path) -> Iterator[int]:
    """Serve the upstream API; yield its port."""
    port = free_port()
    command = (
        nginx.api(folder, port) if found("nginx") else script("api", str(port), str(folder), written(RESPONSE).decode())
    )
    server = Server("the API", command, cores=[LOADING])
    asked = order(port, "/orders")
    server.start(Request(port, asked.path, headers={"Authorization": f"Bearer {TOKEN}"}, body=asked.body))
    try:
        yield port
    finally:
        server.stop()


def compare(run: Run, contenders: Sequence[Contender], effort: Effort, folder: Path) -> None:
    """Measure all contenders and add the results to the run."""
    servers = {id(each.server): each for each in reversed(contenders)}
    starts: dict[int, list[float]] = {key: [] for key in servers}
    try:
        for _ in range(effort.starts):
            for key, contender in servers.items():
                contender.server.stop()
                starts[key].append(contender.server.start(contender.request))
        for number in range(effort.rounds):
            for connections in effort.connections:
                _tell(f"round {number + 1} of {effort.rounds}, {connections} connections")
                for contender in contenders:
                    found = load(contender.server, contender.request, connections, effort.seconds, folder)
                    run.samples.append(
                        Sample(contender.name, connections, number, found.rate, found.cpu, found.p50, found.p99)
                    )
        for contender in contenders:
            memory = contender.server.usage.memory
            times = tuple(starts[id(contender.server)])
            run.standings.append(Standing(contender.name, contender.peer, times, memory))
    finally:
        for contender in servers.values():
            contender.server.stop()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
