"""The results of a run, as raw samples and as medians, spreads and ratios."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one contender: CPU in microseconds per request, times in milliseconds."""

    contender: str
    connections: int
    round: int
    rate: float
    cpu: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Startup time in seconds, and memory after all rounds in MiB, of one contender."""

    contender: str
    peer: str
    starts: tuple[float, ...]
    memory: float


@dataclass(slots=True)
class Run:
    """One run of the benchmark."""

    date: str
    machine: dict[str, str]
    settings: dict[str, Any]
    without: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    growth: list[dict[str, Any]] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Load a saved run."""
        data = json.loads(path.read_text())
        data["samples"] = [Sample(**each) for each in data["samples"]]
        data["standings"] = [Standing(**{**each, "starts": tuple(each["starts"])}) for each in data["standings"]]
        return cls(**data)

    def write(self, path: Path) -> None:
        """Save the run."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @property
    def connections(self) -> list[int]:
        """Return the tested numbers of connections."""
        return sorted({sample.connections for sample in self.samples})

    @property
    def usual(self) -> int:
        """Return the number of connections used in summaries."""
        return self.connections[len(self.connections) // 2]

    def of(self, contender: str, connections: int) -> list[Sample]:
        """Return the samples of one contender, by round."""
        return [each for each in self.samples if (each.contender, each.connections) == (contender, connections)]

    def ratio(self, contender: str, other: str, connections: int, measure: Callable[[Sample], float]) -> float | None:
        """Return the median ratio of a measure, over rounds in which both met the same noise."""
        pairs = zip(self.of(contender, connections), self.of(other, connections), strict=False)
        ratios = [measure(one) / measure(two) for one, two in pairs]
        return statistics.median(ratios) if ratios else None


def median(samples: Sequence[Sample], measure: Callable[[Sample], float]) -> float:
    """Return the median of a measure."""
    return statistics.median(map(measure, samples))


def spread(samples: Sequence[Sample], measure: Callable[[Sample], float]) -> float:
    """Return half the range of a measure, relative to its median."""
    found = [measure(sample) for sample in samples]
    return (max(found) - min(found)) / 2 / statistics.median(found)
