"""What a run has measured: kept as it is, and read as medians, spreads and ratios."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one contender. CPU in microseconds a request, times in milliseconds."""

    contender: str
    connections: int
    round: int
    rate: float
    cpu: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender outside the rounds: its seconds to a first answer, and the MiB that it has after all of them."""

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

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return a run that was kept."""
        data = json.loads(path.read_text())
        data["samples"] = [Sample(**each) for each in data["samples"]]
        data["standings"] = [Standing(**{**each, "starts": tuple(each["starts"])}) for each in data["standings"]]
        return cls(**data)

    def write(self, path: Path) -> None:
        """Keep it."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @property
    def connections(self) -> list[int]:
        """The numbers of connections that were tried."""
        return sorted({sample.connections for sample in self.samples})

    @property
    def usual(self) -> int:
        """The number of connections that stands for all."""
        return self.connections[len(self.connections) // 2]

    def of(self, contender: str, connections: int) -> list[Sample]:
        """Return the samples of one contender, by round."""
        return [each for each in self.samples if (each.contender, each.connections) == (contender, connections)]

    def ratio(self, contender: str, other: str, connections: int, measure: Callable[[Sample], float]) -> float | None:
        """How a measure compares: the median of the rounds, in each of which both met the same noise."""
        pairs = zip(self.of(contender, connections), self.of(other, connections), strict=False)
        ratios = [measure(one) / measure(two) for one, two in pairs]
        return statistics.median(ratios) if ratios else None


def median(samples: Sequence[Sample], measure: Callable[[Sample], float]) -> float:
    """Return the median of a measure."""
    return statistics.median(map(measure, samples))


def spread(samples: Sequence[Sample], measure: Callable[[Sample], float]) -> float:
    """Half of the range of a measure, as a share of its median."""
    found = [measure(sample) for sample in samples]
    return (max(found) - min(found)) / 2 / statistics.median(found)
