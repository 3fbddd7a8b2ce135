"""A JSON Schema that refers to nothing outside of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .allowed_types import types_of
from .references import DEFS
from .validator_pool import ValidatorPool
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
    pool: ValidatorPool | None = field(default=None, repr=False)
    """The validators of the document; None for a schema that the host derives from declarations."""

    def prepare(self) -> None:
        """Have `validate` of a document's schema compiled before the first value is checked, with the others of it."""
        if self.pool is None:
            return
        if DEFS in self.checked:
            self.pool.add(self.checked)
        else:
            self.validate  # noqa: B018

    @cached_property
    def validate(self) -> Validator:
        """The compiled function that returns how a value breaks the schema."""
        if self.pool is not None and DEFS in self.checked:
            return self.pool.validator(self.checked)
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
