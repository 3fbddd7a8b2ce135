"""A capability together with its text: where each part of it stands, what its names mean, what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final
from urllib.parse import quote

from adapter_host.binds.binds import Binds, BoundName
from adapter_host.document.source import Loc, Source
from adapter_host.errors import Problem
from adapter_host.expressions.template import Part, Reference, Secret, Template, compile_template

from .model import Model, walk
from .spec import Authentication, Capability

CALLER_ALIASES: Final = frozenset({"rest", "tools", "tool", "mcp", "args", "input", "params"})
"""Qualifiers that mean the current unit's input, besides the exposers' own namespaces."""

_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_SHORTEST: Final = 4
"""Shorter secrets are not looked for in texts: they stand in many a word."""


class Declaration:
    """What a build reads of a document, and where it reports; `problems` has warnings too."""

    def __init__(self, source: Source, capability: Capability, binds: Binds, base: Loc = ("capability",)) -> None:
        self.source = source
        self.capability = capability
        self.binds = binds
        self.problems: list[Problem] = []
        self.unresolved: dict[str, Problem] = {}
        self.secrets: set[str] = set()
        self._values: dict[str, str] = {}
        self.files: tuple[str, ...] = (source.file,)
        self.partial = False
        """Whether it is for others to import from: what its operations refer to is theirs."""
        functions = {aggregate.namespace for aggregate in capability.aggregates}
        self.callers = CALLER_ALIASES | {exposer.namespace for exposer in capability.exposes} | functions
        self.models = list(_located(capability, base))
        # A part that others inherit stands first where it was declared.
        self._locs = {id(model): loc for model, loc in reversed(self.models)}
        for model, _ in self.models:
            if isinstance(model, Authentication):
                self._values |= {text: key for key, text in _written(model) if text and "{{" not in text}

    def loc(self, model: Model, *keys: str | int) -> Loc:
        """The place of a part of the capability, or of the YAML keys below it."""
        return (*self._locs.get(id(model), ()), *keys)

    def problem(self, message: str, loc: Loc, *, code: str, warning: bool = False, key: bool = False) -> None:
        """Report something at a place, once."""
        found = self.source.problem(loc, message, code=code, warning=warning, key=key)
        if found not in self.problems:
            self.problems.append(found)

    @property
    def secret_files(self) -> tuple[str, ...]:
        """The files that its secrets were read from; `files` are those of its text."""
        return self.binds.files

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep it from running."""
        return [problem for problem in self.problems if not problem.warning]

    def masked(self, text: str) -> str:
        """`text` with the value of each secret in it replaced by the secret's name: for what others may read."""
        known = {value: name for value, name in self._values.items() if len(value) >= _SHORTEST}
        for value in sorted(known, key=len, reverse=True):
            for form in (value, quote(value, safe="")):
                text = text.replace(form, f"{{{{{known[value]}}}}}")
        return text

    def template(
        self, text: str, loc: Loc, *, inputs: Collection[str] | None, own: Callable[[str], Part | None] | None = None
    ) -> Template:
        """Compile a template; with `inputs` None no caller's input may stand in it. `own` is asked for a name first."""

        def meaning(name: str) -> Part:
            found = None if own is None else own(name)
            return self._meaning(name, loc, inputs) if found is None else found

        return compile_template(text, meaning)

    def _meaning(self, name: str, loc: Loc, inputs: Collection[str] | None) -> Part:
        if name[0] in "#^/!>.":
            self.problem(f"'{{{{{name}}}}}': sections are not supported in templates", loc, code="template")
            return name
        if bound := self.binds.find(name):
            return self._secret(bound, loc)
        qualifier, dot, field = name.partition(".")
        if dot and qualifier in self.callers and qualifier not in self.binds.namespaces:
            return self._input(name, field, loc, inputs)
        if dot:
            return self._unknown(name, qualifier, field, loc)
        if inputs is not None and (name in inputs or not _VARIABLE.fullmatch(name)):
            return Reference(name)
        self.problem(
            f"'{{{{{name}}}}}' is declared in no bind; the environment variable {name} is taken",
            loc,
            code="undeclared-variable",
            warning=True,
        )
        return self._secret(self.binds.undeclared(name), loc)

    def _input(self, name: str, field: str, loc: Loc, inputs: Collection[str] | None) -> Part:
        if inputs is None:
            message = f"'{{{{{name}}}}}' is a caller's input, which may not stand here (use a bind)"
            self.problem(message, loc, code="caller-input")
            return name
        return Reference(field)

    def _unknown(self, name: str, qualifier: str, field: str, loc: Loc) -> Part:
        if variables := self.binds.namespaces.get(qualifier):
            message = f"bind '{qualifier}' has no key '{field}' (it has: {', '.join(variables)})"
        else:
            names = _listed(self.binds.namespaces)
            message = f"'{{{{{name}}}}}' names nothing: there is no bind '{qualifier}' (binds: {names})"
        self.problem(message, loc, code="template")
        return name

    def _secret(self, bound: BoundName, loc: Loc) -> Secret:
        name, value = bound.qualified, self.binds.value(bound)
        self.secrets.add(name)
        if value is not None:
            self._values[value] = name
        if value is None and name not in self.unresolved:
            self.unresolved[name] = bound.origin.failure or self._not_set(bound, loc)
        return Secret(name, value)

    def _not_set(self, bound: BoundName, loc: Loc) -> Problem:
        message = f"secret '{bound.qualified}' is not set ({bound.origin.missing(bound.key)})"
        return self.source.problem(loc, message, code="unresolved-secret")


def _located(capability: Capability, base: Loc) -> Iterator[tuple[Model, Loc]]:
    yield from walk(capability.info, ("info",))
    yield from walk(capability.binds, ("binds",))
    yield from walk(capability.consumes, (*base, "consumes"))
    yield from walk(capability.aggregates, (*base, "aggregates"))
    yield from walk(capability.exposes, (*base, "exposes"))


def _written(authentication: Authentication) -> Iterator[tuple[str, str | None]]:
    """What may be a secret that the document itself holds."""
    return ((key, getattr(authentication, key)) for key in ("token", "value", "password"))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
