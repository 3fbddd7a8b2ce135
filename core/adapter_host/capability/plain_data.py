"""The data of models, and the parts of a capability that come from other documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .model import Model, walk

BundleSchemas = Callable[[], tuple[Mapping[int, Any], dict[str, Any]]]
"""Returns the schema of each model by its id, and the `x-schemas` that they refer to."""

_COMPLETED: Final = ("x-openapi", "x-openapi-overlays")
"""Keys of a consumed API whose documents have completed its operations."""


@dataclass(frozen=True, slots=True)
class ImportedParts:
    """The binds of imported documents, and the schemas of a capability with those that they refer to."""

    binds: tuple[Model, ...] = ()
    bundle_schemas: BundleSchemas | None = None


def to_data(value: Any, schemas: Mapping[int, Any]) -> Any:
    """Return models as plain data, with `schemas` in the place of those that they declare."""
    if not isinstance(value, Model):
        return [to_data(item, schemas) for item in value]
    # Pydantic cannot predict the member of a union that a plugin discriminates by content.
    data = value.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    for model, loc in walk(value) if schemas else ():
        if id(model) in schemas:
            holder: Any = data
            for key in loc:
                holder = holder[key]
            holder["x-schema"] = schemas[id(model)]
    return {key: item for key, item in data.items() if key not in _COMPLETED}
