"""Validators of the schemas of one document, which share the definitions that several of them refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .violations import Validator


class ValidatorPool:
    """Compiles schemas together: one at a time, each would compile all definitions that it refers to again.

    `add` schemas as they become known, and `compile` before the first value is checked.
    """

    def __init__(self) -> None:
        # By identity. A schema is kept, so that its identity is not that of another one.
        self._pending: dict[int, Mapping[str, Any]] = {}
        self._compiled: dict[int, tuple[Mapping[str, Any], Validator]] = {}

    def add(self, schema: Mapping[str, Any]) -> None:
        """Compile a schema with the next ones."""
        if id(schema) not in self._compiled:
            self._pending[id(schema)] = schema

    def compile(self) -> None:
        """Compile the schemas that were added."""
        if not self._pending:
            return
        # Imported late: documents without schemas need no validator.
        from .validator import compile_validators

        pending, self._pending = self._pending, {}
        schemas = list(pending.values())
        for schema, validator in zip(schemas, compile_validators(schemas), strict=True):
            self._compiled[id(schema)] = schema, validator

    def validator(self, schema: Mapping[str, Any]) -> Validator:
        """Return the validator of a schema; compile it, and those that were added before, if it is not yet."""
        if id(schema) not in self._compiled:
            self.add(schema)
            self.compile()
        return self._compiled[id(schema)][1]
