"""Parts of a document that are left out with `--skip-invalid`: the smallest ones that contain an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from adapter_host.compiler.references import placeholders
from adapter_host.document.nodes import SequenceNode
from adapter_host.document.source import Loc, Source
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, ConsumedOperation
from adapter_host.operation.result import Result

_UNITS: Final = frozenset({"functions", "operations", "prompts", "resources", "skills", "tools"})
"""The lists whose items are used independently of each other."""


class SkippedOperation(ConsumedOperation):
    """An invalid consumed operation. A `call` can still refer to it, so that no other operation takes its place."""

    refusal = "it is invalid"

    @classmethod
    def of(cls, operation: ConsumedOperation) -> SkippedOperation:
        """Return a compiled operation as a skipped one."""
        skipped = cls()
        for name in ConsumedOperation.__annotations__.keys() - {"refusal"}:
            setattr(skipped, name, getattr(operation, name))
        return skipped

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> SkippedOperation:
        """Return the operation in data of `skipped_operations`."""
        skipped = cls()
        for name, value in data.items():
            setattr(skipped, name, value)
        return skipped

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        raise NotImplementedError("nothing calls a skipped operation")


def enclosing_unit(loc: Loc, base: Loc) -> Loc | None:
    """Return the location of the smallest unit below `base` that contains `loc`, or None."""
    for end in range(len(loc), len(base) + 1, -1):
        if isinstance(loc[end - 1], int) and loc[end - 2] in _UNITS:
            return loc[:end]
    return None


def remove_units(source: Source, locs: Iterable[Loc]) -> None:
    """Remove items of lists, at locations before the removal."""
    for loc in sorted(set(locs), key=_order, reverse=True):
        nodes = source.nodes_to(loc)
        sequence, index = nodes[-2], loc[-1]
        if isinstance(sequence, SequenceNode) and isinstance(index, int):
            source.replace(loc[:-1], sequence.without(index))


def _order(loc: Loc) -> list[tuple[bool, str | int]]:
    return [(isinstance(key, str), key) for key in loc]


def skipped_operations(source: Source, loc: Loc, base: Loc) -> Iterator[dict[str, Any]]:
    """Yield the attributes of the consumed operations at or below `loc`, in the consumer at `base`."""
    values = [node.value for node in source.nodes_to(loc)]
    adapter = values[len(base)]
    namespace = adapter.get("namespace") if isinstance(adapter, dict) else None
    if isinstance(namespace, str):
        yield from _operations(values[-1], {"namespace": namespace, **_resource(values[len(base) : -1])})


def _resource(parents: Iterable[Any]) -> dict[str, Any]:
    resources = [parent for parent in parents if isinstance(parent, dict) and "operations" in parent]
    return {"resource": _text(resources[-1], "name"), "path": _text(resources[-1], "path")} if resources else {}


def _operations(data: Any, parent: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if not isinstance(data, dict):
        return
    path = _text(data, "path") or parent.get("path")
    children = [(key, child) for key in ("resources", "operations") for child in _list(data, key)]
    if not children and (name := _text(data, "name")) is not None:
        yield {
            "resource": None,
            **parent,
            "name": name,
            "path": path,
            "method": (_text(data, "method") or "").upper() or None,
            "description": _text(data, "description"),
            "inputs": tuple(_inputs(data, path)),
        }
    for key, child in children:
        yield from _operations(child, {**parent, **_resource([data])} if key == "operations" else parent)


def _inputs(data: Mapping[str, Any], path: str | None) -> Iterator[Input]:
    for placeholder in placeholders(path or ""):
        yield Input(placeholder, in_="path")
    for spec in _list(data, "inputParameters"):
        if isinstance(spec, dict) and (name := _text(spec, "name")) is not None:
            yield Input(name, in_=_text(spec, "in"))


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    items = data.get(key)
    return items if isinstance(items, list) else []


def _text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    return value if isinstance(value, str) else None
