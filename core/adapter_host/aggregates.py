"""The functions that exposed operations share, found by `namespace.name`."""

from __future__ import annotations

from .capability import FunctionSpec
from .declaration import Declaration
from .document.words import suggest


class Functions:
    """The functions of a capability; two of one name are a problem."""

    def __init__(self, declaration: Declaration) -> None:
        self._word = declaration.source.word("function")
        self._functions: dict[str, FunctionSpec] = {}
        self._found: set[str] = set()
        for aggregate in declaration.capability.aggregates:
            for function in aggregate.functions:
                name = f"{aggregate.namespace}.{function.name}"
                if name in self._functions:
                    loc = declaration.loc(function, "name")
                    declaration.problem(f"{self._word} '{name}' is declared twice", loc, code="duplicate-function")
                self._functions.setdefault(name, function)

    def find(self, ref: str) -> FunctionSpec | None:
        """The function that a `ref` means."""
        self._found.add(ref)
        return self._functions.get(ref)

    @property
    def unused(self) -> list[FunctionSpec]:
        """Those that were never found."""
        return [function for name, function in self._functions.items() if name not in self._found]

    def unknown(self, ref: str) -> str:
        """The message for a `ref` that means none."""
        names = list(self._functions)
        hint = suggest(ref, names) or f" (there are: {', '.join(names[:8]) or 'none'})"
        return f"no {self._word} is named '{ref}'{hint}"
