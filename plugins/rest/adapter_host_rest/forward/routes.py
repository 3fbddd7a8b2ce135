"""What is passed on as it comes, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapter_host import CatalogEntry, ForwardSpec, Operation
from adapter_host_rest.config import RestResource
from adapter_host_rest.router import Router, Segment, show_path

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
TAIL: Final = "path"
"""The variable that is all that is left of a path."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Passes on what comes to a resource's path; with a `tail`, and to everything below it."""

    resource: RestResource
    spec: ForwardSpec
    operation: Operation
    segments: tuple[Segment, ...]
    tail: bool
    limit: int
    pause: float
    """For how many seconds a caller may send nothing of its request's body."""

    @property
    def title(self) -> str:
        """What callers know it by: `ANY /{path}`."""
        path = show_path(self.segments)
        return f"ANY {path.rstrip('/')}/{{{TAIL}}}" if self.tail else f"ANY {path}"

    def offer(self) -> CatalogEntry:
        """What callers see of it."""
        return CatalogEntry(self.title, self.operation)


class Forwards:
    """The forwards of an exposer, by their paths."""

    def __init__(self) -> None:
        self._exact: Router[Forward] = Router()
        self._tails: Router[Forward] = Router()
        self._depth = 0
        self.all: list[Forward] = []

    def add(self, forward: Forward) -> Forward:
        """Put one in place; gives the one that was there before, if any, and leaves it."""
        present = (self._tails if forward.tail else self._exact).add("", forward.segments, forward)
        if present is forward:
            self._depth = max(self._depth, len(forward.segments))
            self.all.append(forward)
        return present

    def find(self, segments: Sequence[str]) -> Forward | None:
        """The one that stands at a path, else the one that takes it for the longest part."""
        if not self.all:
            return None
        found = self._exact.find("", segments)
        for depth in range(min(self._depth, len(segments)), -1, -1):
            found = found or self._tails.find("", segments[:depth])
        return found and found[0]


def parse_forward(segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], bool]:
    """The segments before the tail, and whether there is one; raises `ValueError` for one in the wrong place."""
    tail = bool(segments) and segments[-1].plain and segments[-1].variables == (TAIL,)
    before = tuple(segments[:-1] if tail else segments)
    if any(TAIL in segment.variables for segment in before):
        raise ValueError(f"{{{TAIL}}} of a forward must be the last segment, and all of it")
    return before, tail
