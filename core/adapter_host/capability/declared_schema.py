"""The key `x-schema` of inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from adapter_host.schemas.resolve import resolve_schema
from adapter_host.schemas.schema import Schema
from adapter_host.schemas.visibility import Hidden

from .model import Model, walk


class DeclaredSchema(Model):
    """A part of a document that may have an `x-schema`."""

    hidden_properties: ClassVar[Hidden] = "readOnly"
    """The keyword of properties that the schema is without: those of the other direction."""

    x_schema: Any = Field(None, alias="x-schema")

    _resolve: Callable[[], Schema | None] | None = PrivateAttr(None)
    _resolved: tuple[Schema | None] | None = PrivateAttr(None)

    def resolve_by(self, resolve: Callable[[], Schema | None]) -> None:
        """Set the function that resolves the schema in its document, and reports its problems."""
        self._resolve = resolve

    @property
    def json_schema(self) -> Schema | None:
        """The resolved `x-schema`; None without one, or where a problem of it is reported.

        Outside of a document, raise `ProblemsError` for an invalid one.
        """
        if self.x_schema is None:
            return None
        if self._resolved is None:
            if self._resolve is None:
                self._resolved = (resolve_schema(self.x_schema, hidden=self.hidden_properties),)
            else:
                self._resolved = (self._resolve(),)
        return self._resolved[0]


class DeclaredOutputSchema(DeclaredSchema):
    """A part of a document whose `x-schema` describes a response."""

    hidden_properties: ClassVar[Hidden] = "writeOnly"


def resolve_schemas(value: Any) -> None:
    """Resolve every schema in a part of a document, so that all problems are reported."""
    for model, _ in walk(value):
        if isinstance(model, DeclaredSchema):
            model.json_schema  # noqa: B018
