"""A capability with its source text, name resolution and diagnostics."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from adapter_host.binds.binds import Binds, BindVariable
from adapter_host.document.source import Loc, Source
from adapter_host.errors import Problem
from adapter_host.expressions.template import Part, Reference, Secret, Template, compile_template
from adapter_host.schemas.bundling import SchemaBundle
from adapter_host.schemas.resolve import SchemaResolver
from adapter_host.schemas.schema import Schema
from adapter_host.schemas.validator_pool import ValidatorPool

from .declared_schema import DeclaredSchema
from .diagnostics import Diagnostics
from .model import Model, walk
from .plain_data import ImportedParts
from .schema_agreement import find_contradictions
from .secret_use import SecretUse
from .spec import Authentication, Bind, Capability

CALLER_ALIASES: Final = frozenset({"rest", "tools", "tool", "mcp", "args", "input", "params"})
"""Qualifiers of the current unit's input, in addition to the exposers' own namespaces."""

NO_FILES: Final[Mapping[str, Source]] = MappingProxyType({})

_LOCATIONS: Final = frozenset({"path", "query", "header", "cookie", "body"})
_SECTION: Final = "sections are not supported in templates; use plain tags ('data' omits fields without a value)"
_UNSUPPORTED: Final[Mapping[str, str]] = {
    **dict.fromkeys("#^/.", _SECTION),
    ">": "partials are not supported in templates; write their text here",
    "!": "comments are not supported in templates; write a comment of YAML (# ...)",
    "=": "other delimiters are not supported in templates; write {{name}}",
}
"""What Mustache has in addition to plain tags, by the first character of a tag."""

_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class LoadedCapability:
    """A capability with its source, binds, secrets and diagnostics.

    `callers` are the qualifiers of a caller's input in templates. A `partial` document is a fragment for others to
    import: its references to other operations are resolved there. `models` are all models with the YAML keys that lead
    to them. `has_schemas` says if an input or an output has an `x-schema`. `skipped` describes the consumed operations
    that are left out because no model accepts them. Only `diagnostics`, `secrets`, `files` and the keys that plugins
    have read change, during compilation.
    """

    source: Source
    capability: Capability
    binds: Binds
    callers: frozenset[str]
    partial: bool
    models: tuple[tuple[Model, Loc], ...]
    diagnostics: Diagnostics
    secrets: SecretUse
    skipped: tuple[Mapping[str, Any], ...]
    has_schemas: bool
    _files: dict[str, None]
    _extensions: set[tuple[int, str]]
    _locs: Mapping[int, Loc] = field(repr=False)
    _validators: list[ValidatorPool] = field(default_factory=list, repr=False)

    @classmethod
    def create(
        cls,
        source: Source,
        capability: Capability,
        binds: Binds,
        *,
        base: Loc = ("capability",),
        files: Mapping[str, Source] = NO_FILES,
        callers: Iterable[str] = (),
        imported_binds: Iterable[Bind] = (),
        problems: Iterable[Problem] = (),
        skipped: Iterable[Mapping[str, Any]] = (),
        skip_invalid: bool = False,
    ) -> LoadedCapability:
        """Return a parsed capability with its source; without a `base` it is a fragment.

        `files` and `callers` are added to the document itself and to its own namespaces, `imported_binds` to its binds.
        """
        namespaces = {exposer.namespace for exposer in capability.exposes}
        namespaces |= {aggregate.namespace for aggregate in capability.aggregates}
        models = tuple(_locate_models(capability, base))
        secrets = SecretUse(required=skip_invalid)
        for model, _ in models:
            if isinstance(model, Authentication):
                for key, text in _literal_secrets(model):
                    if text and "{{" not in text:
                        secrets.add_value(text, key)
        loaded = cls(
            source=source,
            capability=capability,
            binds=binds,
            callers=CALLER_ALIASES | namespaces | set(callers),
            partial=not base,
            models=models,
            diagnostics=Diagnostics(problems),
            secrets=secrets,
            skipped=tuple(skipped),
            has_schemas=any(isinstance(model, DeclaredSchema) and model.x_schema is not None for model, _ in models),
            _files=dict.fromkeys((source.file, *files)),
            _extensions=set(),
            # An inherited model comes first where it was declared.
            _locs={id(model): loc for model, loc in reversed(models)},
        )
        loaded._bind_schemas(files)
        has_schemas = loaded.has_schemas or capability.x_schemas
        bundle = partial(loaded._bundle_schemas, files) if has_schemas else None
        capability._add_imported(ImportedParts(tuple(imported_binds), bundle))
        return loaded

    def compile_schemas(self) -> None:
        """Compile the validators of the schemas that values are checked against."""
        for validators in self._validators:
            validators.compile()

    def _bind_schemas(self, files: Mapping[str, Source]) -> None:
        """Let the models resolve their schemas; the problems belong to the section that is compiled then."""
        resolver = SchemaResolver(self.source, files, self.diagnostics.add, self.add_file)
        self._validators.extend(resolver.validators.values())
        for model, loc in self.models:
            if isinstance(model, DeclaredSchema) and model.x_schema is not None:
                model.resolve_by(partial(self._resolve_schema, model, loc, resolver))

    def _resolve_schema(self, model: DeclaredSchema, loc: Loc, resolver: SchemaResolver) -> Schema | None:
        schema = resolver.resolve((*loc, "x-schema"), model.hidden_properties)
        for key, message in () if schema is None else find_contradictions(model, schema):
            self.problem(message, (*loc, key), code="schema-contradiction")
        return schema

    def _bundle_schemas(self, files: Mapping[str, Source]) -> tuple[Mapping[int, Any], dict[str, Any]]:
        bundle = SchemaBundle(self.source, files)
        schemas = {
            id(model): bundle.add(self.loc(model, "x-schema"))
            for model, _ in self.models
            if isinstance(model, DeclaredSchema) and model.x_schema is not None
        }
        return schemas, bundle.schemas

    def loc(self, model: Model, *keys: str | int) -> Loc:
        """Return the YAML keys that lead to a model, followed by `keys`."""
        return (*self._locs.get(id(model), ()), *keys)

    def problem(
        self, message: str, loc: Loc, *, code: str, warning: bool = False, key: bool = False, replacement: str = ""
    ) -> None:
        """Report a problem once, at the value of `loc`, or at its key with `key`; see `Problem` for the rest."""
        problem = self.source.problem(loc, message, code=code, warning=warning, key=key, replacement=replacement)
        self.diagnostics.add(problem)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the capability: the document, its imports, and files read by plugins."""
        return tuple(self._files)

    def add_file(self, file: str) -> None:
        """Register a file that was read for the capability; `serve --reload` reloads when it changes."""
        self._files[file] = None

    def note_extension(self, model: Model, key: str) -> None:
        """Record that a plugin reads the key (`x-...`) of a model."""
        self._extensions.add((id(model), key))

    def is_extension_read(self, model: Model, key: str) -> bool:
        """Return whether a plugin has read the key (`x-...`) of a model."""
        return (id(model), key) in self._extensions

    @property
    def secret_files(self) -> tuple[str, ...]:
        """The files that secrets were read from; not in `files`."""
        return self.binds.files

    def masked(self, text: str) -> str:
        """Return `text` with each secret's value replaced by the secret's name."""
        return self.secrets.masked(text)

    def template(
        self,
        text: str,
        loc: Loc,
        *,
        inputs: Collection[str] | None,
        resolve_first: Callable[[str], Part | None] | None = None,
    ) -> Template:
        """Compile a template; with `inputs` None it must not use request input.

        `resolve_first` is called before the usual resolution of a name, and may return None.
        """

        def resolve(name: str) -> Part:
            part = None if resolve_first is None else resolve_first(name)
            return self._resolve(name, loc, inputs) if part is None else part

        return compile_template(text, resolve)

    def _resolve(self, name: str, loc: Loc, inputs: Collection[str] | None) -> Part:
        if name[0] in _UNSUPPORTED:
            self.problem(f"'{{{{{name}}}}}': {_UNSUPPORTED[name[0]]}", loc, code="template")
            return name
        if variable := self.binds.find(name):
            return self._secret(variable, loc)
        qualifier, dot, field = name.partition(".")
        if dot and qualifier in self.callers and qualifier not in self.binds.namespaces:
            return self._input_reference(name, field, loc, inputs)
        if dot and not self._is_environment_variable(qualifier, field):
            return self._unknown_name(name, qualifier, field, loc)
        if not dot and inputs is not None and (name in inputs or not _VARIABLE.fullmatch(name)):
            return Reference(name)
        variable_name = field if dot else name
        self.problem(
            f"no bind declares '{{{{{name}}}}}'; using the environment variable {variable_name}",
            loc,
            code="undeclared-variable",
            warning=True,
            replacement=variable_name,
        )
        return self._secret(self.binds.environment_variable(variable_name), loc)

    def _is_environment_variable(self, namespace: str, name: str) -> bool:
        declared = namespace in self.binds.namespaces or all(b.namespace != namespace for b in self.capability.binds)
        return declared and self.binds.is_environment(namespace) and is_variable(name)

    def _input_reference(self, name: str, field: str, loc: Loc, inputs: Collection[str] | None) -> Part:
        if inputs is None:
            message = f"'{{{{{name}}}}}' is request input, which is not allowed here; use a bind"
            self.problem(message, loc, code="caller-input")
            return name
        return Reference(split_location(field, inputs)[0])

    def _unknown_name(self, name: str, qualifier: str, field: str, loc: Loc) -> Part:
        if variables := self.binds.namespaces.get(qualifier):
            message = f"bind '{qualifier}' has no key '{field}' (it has: {', '.join(variables)})"
        else:
            names = _join_names(self.binds.namespaces)
            message = f"unknown bind '{qualifier}' in '{{{{{name}}}}}' (binds: {names})"
        self.problem(message, loc, code="template")
        return name

    def _secret(self, variable: BindVariable, loc: Loc) -> Secret:
        name, value = variable.qualified_name, self.binds.value(variable)
        self.secrets.names.add(name)
        if value is not None:
            self.secrets.add_value(value, name)
        else:
            problem = variable.source.failure or self._unset_problem(variable, loc)
            self.secrets.unresolved.setdefault(name, problem)
            if self.secrets.required:
                self.diagnostics.add(problem)
        return Secret(name, value)

    def missing_secret(self, message: str, model: Model, *keys: str | int) -> None:
        """Report a secret of a model that is missing: a host cannot start, but `validate` does not need it."""
        problem = self.source.problem(self.loc(model, *keys), message, code="unresolved-secret")
        self.secrets.unresolved.setdefault(message, problem)
        if self.secrets.required:
            self.diagnostics.add(problem)

    def _unset_problem(self, variable: BindVariable, loc: Loc) -> Problem:
        message = f"secret '{variable.qualified_name}' is not set ({variable.source.missing_message(variable.key)})"
        return self.source.problem(loc, message, code="unresolved-secret")


def _locate_models(capability: Capability, base: Loc) -> Iterator[tuple[Model, Loc]]:
    yield from walk(capability.info, ("info",))
    yield from walk(capability.binds, ("binds",))
    yield from walk(capability.consumes, (*base, "consumes"))
    yield from walk(capability.aggregates, (*base, "aggregates"))
    yield from walk(capability.exposes, (*base, "exposes"))


def _literal_secrets(authentication: Authentication) -> Iterator[tuple[str, str | None]]:
    """Yield the values of an authentication that may be secrets written into the document."""
    return ((key, getattr(authentication, key)) for key in ("token", "value", "password"))


def is_variable(name: str) -> bool:
    """Return whether a name has the form of a variable of the environment or of a bind."""
    return _VARIABLE.fullmatch(name) is not None


def split_location(field: str, inputs: Collection[str]) -> tuple[str, str | None]:
    """Return the name and the location of an input in the text after a qualifier: of `path.id`, `id` and `path`."""
    location, dot, name = field.partition(".")
    return (name, location) if dot and name and location in _LOCATIONS and field not in inputs else (field, None)


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
