"""What cannot be said in a capability, with where it stands in the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapter_host.document.nodes import Loc, Position
from adapter_host.errors import Problem


def pointer(loc: Loc) -> str:
    """Return a place as a JSON pointer (RFC 6901) in a URI's fragment."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)


@dataclass(slots=True)
class Notes:
    """Warnings, each message once with every place that it is true of."""

    _noted: dict[tuple[str, str], tuple[Position, dict[str, None]]] = field(default_factory=dict)

    def note(self, place: Position, loc: Loc, message: str) -> None:
        """Note something at a place."""
        _, pointers = self._noted.setdefault((place[0], message), (place, {}))
        pointers[pointer(loc)] = None

    @property
    def problems(self) -> list[Problem]:
        """All that was noted, in order."""
        return [
            Problem(f"{_listed(list(pointers))}: {message}", *place, code="openapi", warning=True)
            for (_, message), (place, pointers) in self._noted.items()
        ]


def _listed(pointers: list[str]) -> str:
    shown = ", ".join(pointers[:3])
    return shown if len(pointers) <= 3 else f"{shown} and {len(pointers) - 3} more places"
