"""Warnings about parts of an OpenAPI document that a capability cannot express."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapter_host.document.nodes import Loc, Position
from adapter_host.errors import Problem


def pointer(loc: Loc) -> str:
    """Return a location as a JSON pointer (RFC 6901) in a URI fragment."""
    return "#" + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in loc)


@dataclass(slots=True)
class WarningCollector:
    """Warnings, each message once with all its locations."""

    _warnings: dict[tuple[str, str], tuple[Position, dict[str, None]]] = field(default_factory=dict)

    def add(self, position: Position, loc: Loc, message: str) -> None:
        """Add a warning at a location."""
        _, pointers = self._warnings.setdefault((position[0], message), (position, {}))
        pointers[pointer(loc)] = None

    @property
    def problems(self) -> list[Problem]:
        """The warnings, in order."""
        return [
            Problem(f"{_join_pointers(list(pointers))}: {message}", *position, code="openapi", warning=True)
            for (_, message), (position, pointers) in self._warnings.items()
        ]


def _join_pointers(pointers: list[str]) -> str:
    first = ", ".join(pointers[:3])
    return first if len(pointers) <= 3 else f"{first} and {len(pointers) - 3} more locations"
