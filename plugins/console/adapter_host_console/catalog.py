"""What a host serves: the entries of the catalogs of all exposers, and the search over them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any, Final

from adapter_host import CatalogEntry, Exposer, ExposerPlan, Host, Plan, estimate_tokens, tool_definition_text

MAX_ROWS: Final = 200
"""Entries of one response."""

_SUMMARY_LENGTH: Final = 160
_LOG: Final = logging.getLogger("adapter_host.console")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a catalog, with its place and the texts that are searched."""

    id: str
    plan: Plan
    exposer: Exposer[Any]
    exposer_plan: ExposerPlan
    entry: CatalogEntry
    name: str
    text: str

    @property
    def description(self) -> str:
        """The description for clients."""
        own = self.entry.details.get("description")
        return own or (self.entry.operation.description if self.entry.operation else None) or ""

    @property
    def tokens(self) -> int | None:
        """The estimated tokens of a tool's definition; None for entries that are no tools."""
        schema = self.entry.details.get("inputSchema")
        return None if schema is None else estimate_tokens(tool_definition_text(self.name, self.description, schema))

    def row(self) -> dict[str, Any]:
        """Return what a list shows."""
        return {
            "id": self.id,
            "title": self.entry.title,
            "summary": " ".join(self.description.split())[:_SUMMARY_LENGTH],
            "exposer": self.exposer.config.namespace,
            "type": self.exposer.config.type,
            "listed": self.entry.details.get("listed", True),
            "hints": hints(self.entry),
        }


class Catalog:
    """The entries of one generation of a host."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.entries = [entry for plan in plans for entry in _entries(plan)]
        self._by_id = {entry.id: entry for entry in self.entries}

    def find(self, entry_id: str) -> Entry | None:
        """Return the entry with an id, which stays the same over reloads; None if there is none any more."""
        return self._by_id.get(entry_id)

    def search(self, query: str, exposer: str = "", offset: int = 0, limit: int = MAX_ROWS) -> dict[str, Any]:
        """Return the rows that have all words of a query, the best first; without one, in the order of the files."""
        words = query.lower().split()
        found = [each for each in self.entries if not exposer or each.exposer.config.namespace == exposer]
        if words:
            found = [each for each in found if all(word in each.text for word in words)]
            found.sort(key=lambda each: _rank(each.name.lower(), words))
        rows = found[offset : offset + min(limit, MAX_ROWS)]
        return {"total": len(found), "offset": offset, "rows": [each.row() for each in rows]}


class Catalogs:
    """The catalog of the generation that a host serves."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = Lock()
        self._generation = 0
        self._catalog = Catalog(())

    def current(self) -> Catalog:
        """Return the catalog, built again after a reload; it blocks, so call it in a thread."""
        with self._lock:
            generation = self._host.generation
            if generation != self._generation:
                self._catalog = Catalog(self._host.plans)
                self._generation = generation
            return self._catalog


def hints(entry: CatalogEntry) -> list[str]:
    """Return short words for the behaviour of an operation: the annotations of a tool, or its semantics."""
    operation = entry.operation
    annotations: Mapping[str, Any] = entry.details.get("annotations") or {}
    semantics = operation.semantics if operation else None
    found = {
        "read-only": annotations.get("readOnlyHint") or (semantics is not None and semantics.safe),
        "destructive": annotations.get("destructiveHint") and not annotations.get("readOnlyHint"),
        "idempotent": annotations.get("idempotentHint") or (semantics is not None and semantics.idempotent),
    }
    return [name for name, holds in found.items() if holds]


def _entries(plan: Plan) -> Iterator[Entry]:
    for exposer_plan in plan.exposers:
        exposer = exposer_plan.exposer
        namespace = exposer.config.namespace
        try:
            entries = list(exposer.catalog())
        except Exception:  # third-party code: its error must not hide the other exposers
            _LOG.exception("the catalog of '%s' failed", namespace)
            continue
        for entry in entries:
            path = "\0".join((plan.loaded.source.file, namespace, entry.title))
            entry_id = sha256(path.encode("utf-8", "replace")).hexdigest()[:16]
            yield Entry(entry_id, plan, exposer, exposer_plan, entry, _name(entry), _text(plan, namespace, entry))


def _name(entry: CatalogEntry) -> str:
    return entry.title if entry.operation is None or "inputSchema" in entry.details else entry.operation.name


def _text(plan: Plan, namespace: str, entry: CatalogEntry) -> str:
    """Return the text that is searched, in lower case."""
    operation = entry.operation
    parts = [entry.title, namespace, plan.loaded.capability.label, entry.details.get("description") or ""]
    if operation is not None:
        parts += [operation.name, operation.description or "", *(item.name for item in operation.inputs)]
        for target in operation.upstream:
            # Not `describe`, which compiles the request.
            parts += [*target.names, target.method or "", target.path or ""]
    return "\n".join(parts).lower()


def _rank(name: str, words: Sequence[str]) -> tuple[int, int, str]:
    """Return a sort key: names that are the words, begin with them, have them, and others."""
    first = words[0]
    quality = 0 if name == " ".join(words) else 1 if name.startswith(first) else 2 if first in name else 3
    return quality, len(name), name
