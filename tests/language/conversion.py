"""Conversion of a 1.0.0-alpha2 document to 1.0.0-beta5, where named entries are mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BY_NAME = {
    "resources",
    "operations",
    "tools",
    "prompts",
    "skills",
    "steps",
    "inputParameters",
    "arguments",
    "functions",
}
"""The lists that are mappings in the later language, at any depth."""
RENAMED = {"label": "display", "targetName": "target", "functions": "flows"}
AS_IT_IS = {"with", "data", "keys", "metadata", "template"}
"""The keys whose mappings have keys of the user."""


def as_beta5(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document in the later language; keys that it does not have are kept."""
    return {"ikanos": "1.0.0-beta5", **_unit({key: document[key] for key in document if key != "naftiko"})}


def _unit(value: Any) -> Any:
    if isinstance(value, list):
        return [_unit(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "import" in value:
        return {"from" if key == "location" else key: inner for key, inner in value.items()}
    converted = {}
    for key, inner in value.items():
        if key in AS_IT_IS:
            converted[key] = inner
        elif key == "outputParameters":
            converted[key] = _outputs(inner)
        else:
            converted[RENAMED.get(key, key)] = _by_name(_unit(inner)) if key in BY_NAME else _unit(inner)
    return converted


def _outputs(value: Any) -> Any:
    """Convert outputs: those of steps, mocks and consumed operations have names, mapped ones have none."""
    if isinstance(value, list):
        items = [_outputs(item) for item in value]
        return _by_name(items) if _have_names(items) else items
    if not isinstance(value, dict):
        return value
    converted = dict(value)
    if isinstance(value.get("properties"), dict):
        converted["properties"] = {key: _nameless(_outputs(inner)) for key, inner in value["properties"].items()}
    if "items" in value:
        converted["items"] = _outputs(value["items"])
    return converted


def _have_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def _by_name(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return value
    return {str(item.get("name", f"nameless-{index}")): _nameless(item) for index, item in enumerate(value)}


def _nameless(value: Any) -> Any:
    return {key: inner for key, inner in value.items() if key != "name"} if isinstance(value, dict) else value
