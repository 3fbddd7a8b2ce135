"""Whether data is as a schema of the core's making says: compiled once, to one function a level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Final

from adapter_host import JSON_TYPES

FindViolation = Callable[[Any], str | None]
"""Finds the first place where data is not as its schema says, as a JSONPath below it; None when there is none."""


def compile_schema(schema: Mapping[str, Any]) -> FindViolation:
    """The function that finds what breaks `schema`: its `type`, `properties`, `required` and `items`."""
    # A keyword that is not as JSON Schema has it is left to whoever checks the schema itself.
    checks = [
        compile_keyword(schema)
        for key, (types, compile_keyword) in _KEYWORDS.items()
        if isinstance(schema.get(key), types)
    ]
    if len(checks) == 1:
        return checks[0]

    def find_violation(data: Any) -> str | None:
        return next((path for check in checks if (path := check(data)) is not None), None)

    return find_violation


def _type(schema: Mapping[str, Any]) -> FindViolation:
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    checks = [JSON_TYPES[name] for name in names if name in JSON_TYPES]

    def find_violation(data: Any) -> str | None:
        return None if not checks or any(check(data) for check in checks) else ""

    return find_violation


def _properties(schema: Mapping[str, Any]) -> FindViolation:
    properties = [(name, compile_schema(child)) for name, child in schema["properties"].items()]

    def find_violation(data: Any) -> str | None:
        if isinstance(data, dict):
            for name, check in properties:
                if name in data and (path := check(data[name])) is not None:
                    return f".{name}{path}"
        return None

    return find_violation


def _required(schema: Mapping[str, Any]) -> FindViolation:
    names = tuple(schema["required"])

    def find_violation(data: Any) -> str | None:
        if not isinstance(data, dict):
            return None
        return next((f".{name}" for name in names if name not in data), None)

    return find_violation


def _items(schema: Mapping[str, Any]) -> FindViolation:
    check = compile_schema(schema["items"])

    def find_violation(data: Any) -> str | None:
        if isinstance(data, list):
            for index, element in enumerate(data):
                if (path := check(element)) is not None:
                    return f"[{index}]{path}"
        return None

    return find_violation


_KEYWORDS: Final[Mapping[str, tuple[type | UnionType, Callable[[Mapping[str, Any]], FindViolation]]]] = {
    "type": (str | list, _type),
    "properties": (Mapping, _properties),
    "required": (list, _required),
    "items": (Mapping, _items),
}
