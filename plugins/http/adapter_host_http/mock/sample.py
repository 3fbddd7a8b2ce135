"""Generate sample data from the declared outputs of an operation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from adapter_host import OutputSpec

_STEP: Final = re.compile(r"\.?([^.\[\]$]+)|\[(?:'([^']+)'|\"([^\"]+)\"|([0-9*]+))\]")
_SAMPLES: Final[dict[str, Any]] = {"integer": 1, "number": 1.5, "boolean": True}

Step = str | int
"""A key of an object, or 0 for the element of an array."""


def sample_of(outputs: Sequence[OutputSpec]) -> Any:
    """Return data in which every mapping finds a value, or None for outputs without mappings."""
    root: Any = None
    for output in outputs:
        path = _path(output)
        if path or output.properties or output.items:
            root = _insert(root, path, _value(output))
    return root


def _path(output: OutputSpec) -> list[Step]:
    mapping = output.mapping if output.mapping is not None else output.value
    if not isinstance(mapping, str) or not mapping.startswith("$"):
        return []
    steps: list[Step] = []
    for name, single, double, index in _STEP.findall(mapping[1:]):
        steps.append(0 if index or name == "*" else name or single or double)
    return steps


def _value(output: OutputSpec) -> Any:
    if output.properties:
        return _object(output.properties)
    if output.type == "array" or output.items:
        items = output.items[0] if isinstance(output.items, tuple) and output.items else output.items
        return [_element(items)] if isinstance(items, OutputSpec) else []
    if output.type == "object":
        return {}
    return _SAMPLES.get(output.type or "string", output.name or "sample")


def _element(items: OutputSpec) -> Any:
    return _insert(None, _path(items), _value(items))


def _object(properties: dict[str, OutputSpec]) -> Any:
    root: Any = {}
    for name, output in properties.items():
        output = output if output.name else output.model_copy(update={"name": name})
        root = _insert(root, _path(output) or [name], _value(output))
    return root


def _insert(root: Any, path: Sequence[Step], value: Any) -> Any:
    """Return `root` with `value` at `path`; keep existing values, and merge objects."""
    if not path:
        return _merge(root, value)
    step, rest = path[0], path[1:]
    if step == 0:
        elements = root if isinstance(root, list) and root else [None]
        return [_insert(elements[0], rest, value)]
    members = root if isinstance(root, dict) else {}
    return {**members, str(step): _insert(members.get(str(step)), rest, value)}


def _merge(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **new}
    return new if old is None else old
