"""The place of the declaration of an included entry."""

from __future__ import annotations

from dataclasses import dataclass

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model
from adapter_host.errors import Problem

from .callers import CallSite


@dataclass(frozen=True, slots=True)
class Origin:
    """The exposer that declares an entry, by its `site`; the entry's `name` and its section `spec` of the document."""

    site: CallSite
    loaded: LoadedCapability
    spec: Model
    name: str

    def problem(self, message: str, *keys: str | int, code: str) -> Problem:
        """Return a problem at the section, or at `keys` below it."""
        return self.loaded.source.problem(self.loaded.loc(self.spec, *keys), message, code=code)

    def place(self, *keys: str | int) -> str:
        """Return the exposer with file, line and column, for messages about other places."""
        return f"'{self.site.exposer}' ({self.loaded.source.place(self.loaded.loc(self.spec, *keys))})"
