"""What is passed on as it comes, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapter_host import CatalogEntry, ForwardSpec, Operation
from adapter_host_rest.config import RestResource
from adapter_host_rest.router import Router, Segment, format_path

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
TAIL: Final = "path"
"""The variable that is all that is left of a path."""


@dataclass(frozen=True, slots=True)
class ForwardRoute:
    """Passes on what comes to a resource's path; with a `tail`, and to everything below it."""

    resource: RestResource
    spec: ForwardSpec
    operation: Operation
    segments: tuple[Segment, ...]
    tail: bool
    body_limit: int
    read_timeout: float
    """For how many seconds a caller may send nothing of its request's body."""

    @property
    def title(self) -> str:
        """What callers know it by: `ANY /{path}`."""
        path = format_path(self.segments)
        return f"ANY {path.rstrip('/')}/{{{TAIL}}}" if self.tail else f"ANY {path}"

    def catalog_entry(self) -> CatalogEntry:
        """What callers see of it."""
        return CatalogEntry(self.title, self.operation)


class ForwardRouter:
    """The forwards of an exposer, by their paths."""

    def __init__(self) -> None:
        self._exact: Router[ForwardRoute] = Router()
        self._tails: Router[ForwardRoute] = Router()
        self._depth = 0
        self.all: list[ForwardRoute] = []

    def add(self, forward: ForwardRoute) -> ForwardRoute:
        """Put one in place; gives the one that was there before, if any, and leaves it."""
        existing = (self._tails if forward.tail else self._exact).add("", forward.segments, forward)
        if existing is forward:
            self._depth = max(self._depth, len(forward.segments))
            self.all.append(forward)
        return existing

    def find(self, segments: Sequence[str]) -> ForwardRoute | None:
        """The one that stands at a path, else the one that takes it for the longest part."""
        if not self.all:
            return None
        match = self._exact.find("", segments)
        for depth in range(min(self._depth, len(segments)), -1, -1):
            match = match or self._tails.find("", segments[:depth])
        return match and match[0]


def parse_forward_path(segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], bool]:
    """The segments before the tail, and whether there is one; raises `ValueError` for one in the wrong place."""
    tail = bool(segments) and segments[-1].is_variable and segments[-1].variables == (TAIL,)
    before = tuple(segments[:-1] if tail else segments)
    if any(TAIL in segment.variables for segment in before):
        raise ValueError(f"{{{TAIL}}} of a forward must be the last segment, and all of it")
    return before, tail
