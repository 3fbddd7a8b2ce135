"""Completion, declarations and descriptions of entries of `x-include`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapter_host.capability.model import Model
from adapter_host.compiler.plan import Plan
from adapter_host.document.messages import count_noun
from adapter_host.document.nodes import Loc, Position
from adapter_host.document.source import Source
from adapter_host.operation.operation import Operation
from adapter_host.plugin.exposer import CatalogEntry, Exposer

from .check import Check
from .cursor import value_at
from .names import last_key

INCLUDE: Final = "x-include"

NAMED_KEYS: Final = {"namespace": "namespace", "names": "value", "tags": "value"}
"""The keys with names of other documents, and the kinds of their completions."""

_SHOWN: Final = 20
"""The most entries in a description."""


@dataclass(frozen=True, slots=True)
class IncludedExposer:
    """An exposer that an entry refers to, with its document."""

    plan: Plan
    exposer: Exposer[Any]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.exposer.config.namespace)

    @property
    def type(self) -> str:
        """Its type."""
        return str(self.exposer.config.type)

    def place(self, model: Model, key: str) -> Position:
        """Return where a section is declared."""
        return self.plan.loaded.source.position_of(self.plan.loaded.loc(model, key))

    def entries(self) -> Iterator[tuple[str, Operation]]:
        """Yield the entries by the names that `only` and `except` have, without those that no document declares."""
        for entry in self.exposer.catalog():
            is_declared = "inputSchema" not in entry.details or _is_declared(entry, self.exposer)
            if entry.operation is not None and is_declared:
                yield (entry.title if "inputSchema" in entry.details else entry.operation.name), entry.operation


def _is_declared(entry: CatalogEntry, exposer: Exposer[Any]) -> bool:
    return entry.operation is not None and entry.operation.spec in exposer.operations


def is_in_include(loc: Loc) -> bool:
    """Return whether a place is in an entry of `x-include`."""
    return INCLUDE in loc and len(loc) > loc.index(INCLUDE) + 2


def included_at(check: Check, source: Source, loc: Loc) -> list[IncludedExposer]:
    """Return the exposers that the entry around a place can include, or does if it has a namespace."""
    entry_loc = loc[: loc.index(INCLUDE) + 2]
    entry = value_at(source.data, entry_loc)
    including = value_at(source.data, entry_loc[:-2])
    if not isinstance(entry, Mapping) or not isinstance(including, Mapping):
        return []
    own = including.get("namespace")
    location = entry.get("location")
    if isinstance(location, str):
        file = included_file(source, location)
        plans = [plan for plan in check.included if os.path.realpath(plan.loaded.source.file) == file]
    else:
        plans = [check.plan] if check.plan is not None else []
    found = [IncludedExposer(plan, each.exposer) for plan in plans for each in (*plan.exposers, *plan.included)]
    types = _types_of(check, own)
    return [each for each in found if each.type in types and (location is not None or each.namespace != own)]


def _types_of(check: Check, namespace: Any) -> tuple[str, ...]:
    exposers = [] if check.plan is None else [each.exposer for each in check.plan.exposers]
    return next((exposer.includes for exposer in exposers if exposer.config.namespace == namespace), ())


def included_file(source: Source, location: str) -> str:
    """Return the path of the file at a `location`."""
    return os.path.realpath(Path(source.file).parent / location.removeprefix("file://"))


def chosen(found: list[IncludedExposer], source: Source, loc: Loc) -> list[IncludedExposer]:
    """Return the exposers with the namespace of the entry around a place; all if it has none."""
    namespace = value_at(source.data, (*loc[: loc.index(INCLUDE) + 2], "namespace"))
    return [each for each in found if namespace in (None, each.namespace)]


def include_names(check: Check, source: Source, loc: Loc) -> dict[str, str]:
    """Return the values of a key of `NAMED_KEYS`, with details: namespaces, or names or tags of entries."""
    found, key = included_at(check, source, loc), last_key(loc)
    if key == "namespace":
        return {each.namespace: each.type for each in found}
    entries = [entry for each in chosen(found, source, loc) for entry in each.entries()]
    if key == "names":
        return {name: operation.description or "" for name, operation in entries}
    return {tag: "" for _, operation in entries for tag in operation.spec.tags}


def include_loc(source: Source, file: str) -> Loc:
    """Return the place of the first include of a file; the root if only others include it."""
    exposes = ("capability", "exposes")
    exposers = value_at(source.data, exposes)
    for index, exposer in enumerate(exposers if isinstance(exposers, list) else ()):
        entries = value_at(exposer, (INCLUDE,))
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            location = value_at(entry, ("location",))
            if isinstance(location, str) and included_file(source, location) == file:
                return (*exposes, index, INCLUDE, number, "location")
    return ()


def include_definitions(check: Check, source: Source, loc: Loc) -> Iterator[Position]:
    """Yield where the exposer, the file or the entry at a place is declared."""
    key, value = last_key(loc), value_at(source.data, loc)
    if key == "location" and isinstance(value, str):
        yield included_file(source, value), 1, 1
        return
    for each in chosen(included_at(check, source, loc), source, loc):
        if key == "namespace":
            yield each.place(each.exposer.config, "namespace")
        elif key == "names":
            yield from (each.place(operation.spec, "name") for name, operation in each.entries() if name == value)


def include_description(check: Check, source: Source, loc: Loc) -> str:
    """Return the exposers that the entry around a place can include, as Markdown."""
    if last_key(loc) not in ("location", "namespace"):
        return ""
    parts = []
    for each in chosen(included_at(check, source, loc), source, loc):
        names = [name for name, _ in each.entries()]
        shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        entries = f": {shown}{more}" if names else ""
        parts.append(f"**{each.namespace}** ({each.type}) has {count_noun(len(names), 'entry', 'entries')}{entries}")
    return "\n\n".join(parts)
