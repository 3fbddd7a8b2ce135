"""Schemas that do not come from a document, but from an API: nothing outside of them is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError

from .resolve import SchemaResolver
from .schema import Schema
from .visibility import Hidden

_ROOT: Final = ("schema",)


class StandaloneSchema:
    """A schema of an API; `name` is unique among those of the document.

    The references within it may lead to its own parts only. Raises `ProblemsError` for data that YAML does not have.
    """

    def __init__(self, schema: Any, name: str) -> None:
        self._problems: list[Problem] = []
        self._resolver = SchemaResolver(
            Source.from_data({"schema": schema}), {}, self._problems.append, prefix=f"{name}.", reads_files=False
        )

    def resolve(self, *keys: str, hidden: Hidden = "readOnly") -> Schema:
        """Return the schema, or the part of it at `keys`; raise `ProblemsError` for an invalid one."""
        self._problems.clear()
        schema = self._resolver.resolve((*_ROOT, *keys), hidden, base=_ROOT)
        if schema is None:
            raise ProblemsError(self._problems)
        return schema


def resolve_response_schema(schema: Mapping[str, Any], name: str) -> Schema:
    """Return the schema of the responses of an API; raise `ProblemsError`."""
    return StandaloneSchema(schema, name).resolve(hidden="writeOnly")
