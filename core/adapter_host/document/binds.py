"""Named secrets and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoundName:
    """A variable of a bind: templates say `VARIABLE` or `namespace.VARIABLE`; `key` is the source's own name."""

    namespace: str
    variable: str
    key: str

    @property
    def qualified(self) -> str:
        """The name with its namespace, as messages show it."""
        return f"{self.namespace}.{self.variable}"


class Binds:
    """The secrets of one capability; a value is never shown, and an empty one counts as missing."""

    def __init__(self, names: Iterable[BoundName], environment: Mapping[str, str], *, mock: bool = False) -> None:
        self._names: dict[str, BoundName] = {}
        self.namespaces: dict[str, list[str]] = {}
        self._environment = environment
        self._mock = mock
        for name in names:
            self._names[name.qualified] = name
            self._names.setdefault(name.variable, name)
            self.namespaces.setdefault(name.namespace, []).append(name.variable)

    def find(self, name: str) -> BoundName | None:
        """The variable that a template's `name` means, or None when no bind declares it."""
        return self._names.get(name)

    def value(self, key: str) -> str | None:
        """The secret that the source has under `key`; with a stand-in upstream, a stand-in secret."""
        return f"mock-{key}" if self._mock else self._environment.get(key) or None

    def __repr__(self) -> str:
        return f"Binds({', '.join(sorted(self._names))})"
