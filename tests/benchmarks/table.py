"""Markdown tables that are also readable in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

from .contenders import LIMIT
from .results import Run, Sample, median, spread

_RATE: Final[Callable[[Sample], float]] = attrgetter("rate")
_CPU: Final[Callable[[Sample], float]] = attrgetter("cpu")


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return a table of rows, the first of which is the heading; other values than text are right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = rows
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(row, widths) for row in (head, rule, *body)) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    return f"| {' | '.join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)])} |"


def comparison(run: Run) -> str:
    """Return the table of a comparison."""
    usual = run.usual
    head = ["", "CPU µs", "CPU ±%", "of proxy's", "requests/s", "rate ±%", "of nginx's"]
    head += [f"of proxy's at {n}" for n in run.connections]
    head += [f"p50/p99 ms at {n}" for n in run.connections]
    return aligned([[*head, "MiB", "start s"], *_rows(run, usual)])


def _rows(run: Run, usual: int) -> Iterator[list[str]]:
    for standing in run.standings:
        name, peer = standing.contender, standing.peer
        samples = run.of(name, usual)
        starts = sorted(standing.starts)
        yield [
            name,
            f"{median(samples, _CPU):,.0f}",
            f"{spread(samples, _CPU) * 100:.0f}",
            _ratio(run.ratio(name, peer, usual, _CPU)),
            f"{median(samples, _RATE):,.0f}",
            f"{spread(samples, _RATE) * 100:.0f}",
            _ratio(run.ratio(name, LIMIT, usual, _RATE)),
            *(_ratio(run.ratio(name, peer, connections, _RATE)) for connections in run.connections),
            *(_latency(run.of(name, connections)) for connections in run.connections),
            f"{standing.memory:.0f}",
            f"{starts[len(starts) // 2]:.2f}",
        ]


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"


def _latency(samples: Sequence[Sample]) -> str:
    return f"{median(samples, attrgetter('p50')):.2f}/{median(samples, attrgetter('p99')):.2f}"


def growth(records: Sequence[dict[str, Any]]) -> str:
    """Return the tables of a growth run, one for each kind."""
    tables = []
    for kind in dict.fromkeys(record["kind"] for record in records):
        found = [record["shown"] for record in records if record["kind"] == kind]
        tables.append(f"{kind}:\n\n{aligned([list(found[0]), *(list(each.values()) for each in found)])}")
    return "\n".join(tables)
