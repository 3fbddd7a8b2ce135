"""Routes of `forward` resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapter_host import CatalogEntry, ForwardSpec, Operation
from adapter_host_rest.caching import Caching
from adapter_host_rest.config import RestResource
from adapter_host_rest.router import Router, Segment, format_path

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
TAIL: Final = "path"
"""The variable that matches the remaining path."""


@dataclass(frozen=True, slots=True)
class ForwardRoute:
    """Forwards requests for a resource's path and, with `tail`, for everything below it."""

    resource: RestResource
    spec: ForwardSpec
    operation: Operation
    segments: tuple[Segment, ...]
    tail: bool
    caching: Caching
    body_limit: int
    read_timeout: float
    """Maximum seconds between two chunks of a request body."""

    @property
    def title(self) -> str:
        """Return method and path, such as `ANY /{path}`."""
        path = format_path(self.segments)
        return f"ANY {path.rstrip('/')}/{{{TAIL}}}" if self.tail else f"ANY {path}"

    def catalog_entry(self) -> CatalogEntry:
        """Return the entry of the catalog."""
        return CatalogEntry(self.title, self.operation)


class ForwardRouter:
    """Finds the forward of a path."""

    def __init__(self) -> None:
        self._exact: Router[ForwardRoute] = Router()
        self._tails: Router[ForwardRoute] = Router()
        self._depth = 0
        self.all: list[ForwardRoute] = []

    def add(self, forward: ForwardRoute) -> ForwardRoute:
        """Add a forward unless its path is taken; return the one at the path."""
        existing = (self._tails if forward.tail else self._exact).add("", forward.segments, forward)
        if existing is forward:
            self._depth = max(self._depth, len(forward.segments))
            self.all.append(forward)
        return existing

    def find(self, segments: Sequence[str]) -> ForwardRoute | None:
        """Return the forward of exactly this path, or else the one with the longest matching prefix."""
        if not self.all:
            return None
        match = self._exact.find("", segments)
        for depth in range(min(self._depth, len(segments)), -1, -1):
            match = match or self._tails.find("", segments[:depth])
        return match and match[0]


def parse_forward_path(segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], bool]:
    """Return the segments before the tail, and whether there is a tail; raises `ValueError`."""
    tail = bool(segments) and segments[-1].is_variable and segments[-1].variables == (TAIL,)
    before = tuple(segments[:-1] if tail else segments)
    if any(TAIL in segment.variables for segment in before):
        raise ValueError(f"{{{TAIL}}} of a forward must be the complete last segment")
    return before, tail
