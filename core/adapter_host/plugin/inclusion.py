"""Entries of other exposers that an exposer serves beside its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from adapter_host.capability.include_spec import SelectionSpec
from adapter_host.operation.call_record import CURRENT_RECORD
from adapter_host.operation.callers import CallContext, CallScope, CallSite, current_call
from adapter_host.operation.operation import Arguments, Call, Operation
from adapter_host.operation.result import Result

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT: Final = frozenset({*_SAFE, "PUT", "DELETE"})


@dataclass(slots=True, eq=False)
class Selection:
    """The entries that `only` selects, except those that `excluded` does; it notes which names and tags there are."""

    only: SelectionSpec | None = None
    excluded: SelectionSpec | None = None
    names: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)

    def accepts(self, name: str, tags: Collection[str], hints: Collection[str]) -> bool:
        """Return whether an entry is selected."""
        self.names.add(name)
        self.tags.update(tags)
        if self.only is not None and not _selects(self.only, name, tags, hints):
            return False
        return self.excluded is None or not _selects(self.excluded, name, tags, hints)

    def unknown(self) -> Iterator[tuple[SelectionSpec, str, int, str]]:
        """Yield the names and tags that no entry has: their section, key, index and text."""
        for spec in (self.only, self.excluded):
            if spec is not None:
                yield from ((spec, "names", index, name) for index, name in _missing(spec.names, self.names))
                yield from ((spec, "tags", index, tag) for index, tag in _missing(spec.tags, self.tags))


def _selects(spec: SelectionSpec, name: str, tags: Collection[str], hints: Collection[str]) -> bool:
    return name in spec.names or not set(spec.tags).isdisjoint(tags) or any(hint in hints for hint in spec.hints)


def _missing(listed: Collection[str], known: Collection[str]) -> Iterator[tuple[int, str]]:
    return ((index, text) for index, text in enumerate(listed) if text not in known)


def behavior_annotations(operation: Operation) -> Mapping[str, bool]:
    """Return the annotations of an MCP tool that follow from the semantics of an operation, or else from methods.

    The methods are that of its route and those of its requests: only if all of them are safe does it only read.
    """
    semantics = operation.semantics
    methods = {target.method for target in operation.upstream} | {getattr(operation.spec, "method", None)}
    methods.discard(None)
    is_safe = None if semantics is None else semantics.safe
    is_idempotent = None if semantics is None else semantics.idempotent
    return {
        "readOnlyHint": bool(methods) and methods <= _SAFE if is_safe is None else is_safe,
        "idempotentHint": bool(methods) and methods <= _IDEMPOTENT if is_idempotent is None else is_idempotent,
    }


def call_at(site: CallSite, call: Call, path: str | None) -> Call:
    """Return the call of an operation of another exposer, in whose context and log entries it is made.

    `path` is the path template for the access log.
    """

    async def call_at_site(arguments: Arguments) -> Result:
        record = CURRENT_RECORD.get()
        if record is not None and not record.calls:
            record.site = replace(site, authentication=record.site.authentication)
        try:
            with CallScope(partial(_at_site, current_call(), site)):
                return await call(arguments)
        finally:
            if record is not None and path is not None:
                record.path = path

    return call_at_site


def _at_site(context: CallContext, site: CallSite) -> CallContext:
    return replace(context, capability=site.capability, exposer=site.exposer, exposer_type=site.exposer_type)
