"""Paths of operations: as requests have them, and as a router can tell them apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_DECODINGS = 3


def variables_of(path: str) -> list[str]:
    """Return the names of the variables of a path, in order."""
    return [name.strip() for name in _VARIABLE.findall(path)]


def request_path(path: str) -> str:
    """Return a path as requests have it: it begins with a slash, and its fragment is not sent."""
    without_fragment = path.partition("#")[0]
    return without_fragment if without_fragment.startswith("/") else f"/{without_fragment}"


def path_error(path: str) -> str | None:
    """Return why no request can have a path, or None."""
    if "{{" in path:
        return "it has two braces in a row"
    for segment in re.split(r"[/\\]", path.partition("?")[0]):
        decoded = segment
        for _ in range(_DECODINGS):
            decoded = unquote(decoded)
        if any(part.partition(";")[0].strip() in (".", "..") for part in re.split(r"[/\\]", decoded)):
            return "it has a '.' or '..' segment"
    return None


@dataclass(slots=True)
class Routes:
    """The routes of a REST exposer, each with the first path that has it."""

    _paths: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, method: str, path: str) -> str | None:
        """Add the route of an operation; return why it cannot have one, or None."""
        if (reason := _route_error(path)) is not None:
            return reason
        first = self._paths.setdefault((method, unquote(_VARIABLE.sub("{}", path))), path)
        return None if first is path else f"it is the same as {first} for a router"


def _route_error(path: str) -> str | None:
    names = variables_of(path)
    rest = _VARIABLE.sub("{}", path)
    if rest.count("{") != len(names) or rest.count("}") != len(names) or not all(names):
        return "it has braces without a name"
    if "{}{}" in rest:
        return "two of its variables are adjacent"
    return "it has a variable twice" if len(set(names)) < len(names) else None
