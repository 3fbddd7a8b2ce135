"""References of a schema to its `$defs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

DEFS: Final = "$defs"
DEFS_POINTER: Final = f"#/{DEFS}/"


def referenced(schema: Any, defs: Mapping[str, Any], pointer: str = DEFS_POINTER) -> Any:
    """Return the schema of `defs` that `$ref` names after `pointer`; None without one."""
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    if not isinstance(reference, str) or not reference.startswith(pointer):
        return None
    return defs.get(reference.removeprefix(pointer))


def reference_to(name: str) -> dict[str, Any]:
    """Return a reference to one of `$defs`."""
    return {"$ref": f"{DEFS_POINTER}{name}"}


def hoist_defs(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Move the `$defs` out of schemas, and return all of them."""
    defs: dict[str, Any] = {}
    for schema in schemas:
        defs |= schema.pop(DEFS, {})
    return defs
