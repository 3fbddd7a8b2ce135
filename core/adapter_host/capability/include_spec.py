"""`x-include` of exposers: the entries of other exposers that they serve beside their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from .model import ListField, Model
from .spec import HttpExposerConfig

Hint = Literal["readOnly", "destructive", "idempotent", "openWorld"]


class _Choice(Model):
    """A section whose unknown keys are errors: of a misspelt `except`, everything would be served."""

    model_config = ConfigDict(extra="forbid")


class SelectionSpec(_Choice):
    """Entries that have one of the names, tags or hints."""

    names: ListField[str] = ()
    tags: ListField[str] = ()
    hints: ListField[Hint] = ()

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if not (self.names or self.tags or self.hints):
            raise ValueError("the selection names nothing; set 'names', 'tags' or 'hints'")
        return self


class IncludeSpec(_Choice):
    """An exposer of this document, or of the one at `location`; without a namespace all of its type there.

    `prefix` begins the names, or the paths, of the entries here. `only` and `except` choose among the entries.
    """

    namespace: str | None = None
    location: str | None = None
    prefix: str = ""
    only: SelectionSpec | None = None
    except_: SelectionSpec | None = Field(None, alias="except")

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.namespace is None and self.location is None:
            raise ValueError("neither 'namespace' nor 'location' says what to include; set one of them")
        return self


class IncludingConfig(HttpExposerConfig):
    """An exposer that can serve the entries of other exposers too."""

    x_include: ListField[IncludeSpec] = Field((), alias="x-include")


def hints_of_annotations(annotations: Mapping[str, Any]) -> frozenset[str]:
    """Return the hints that clients read in the annotations of an MCP tool, with the defaults of the specification."""
    is_read_only = annotations.get("readOnlyHint", False)
    hints = {
        "readOnly": is_read_only,
        "destructive": not is_read_only and annotations.get("destructiveHint", True),
        "idempotent": annotations.get("idempotentHint", False),
        "openWorld": annotations.get("openWorldHint", True),
    }
    return frozenset(name for name, value in hints.items() if value)
