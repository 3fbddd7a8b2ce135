"""A JSON Schema that refers to nothing outside of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .references import DEFS, types_of
from .violations import Validator


@dataclass(frozen=True, eq=False)
class Schema:
    """A JSON Schema (2020-12) that is complete in itself.

    `data` is the schema that callers see: its references are `#/$defs/<name>`, with names that are unique in the
    document, so the `$defs` of several schemas can be merged. Requests lack `readOnly` properties, responses lack
    `writeOnly` ones. `checked` is the schema that values are checked against, which allows these properties. `name` is
    the one that references to the schema have, if it was declared by a reference.
    """

    data: Mapping[str, Any]
    checked: Mapping[str, Any]
    name: str | None = field(default=None, repr=False)

    @cached_property
    def validate(self) -> Validator:
        """The compiled function that returns how a value breaks the schema."""
        # Imported late: documents without schemas need no validator.
        from .validator import compile_validator

        return compile_validator(self.checked)

    @property
    def defs(self) -> Mapping[str, Any]:
        """The schemas that the references name."""
        defs: Mapping[str, Any] = self.data.get(DEFS, {})
        return defs

    @property
    def root(self) -> dict[str, Any]:
        """The schema without `$defs`, to be placed below them."""
        return {key: value for key, value in self.data.items() if key != DEFS}

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that the schema names, followed through references; empty where it allows any."""
        return types_of(self.data, self.defs)
