"""Parse the sections of a document with the models of plugins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from adapter_host.binds.binds import BindSource, BindVariable, CachedSource, wrap_source_errors
from adapter_host.capability.model import Model
from adapter_host.capability.spec import AggregateSpec, Bind, Capability, ConsumerConfig, ExposerConfig, Info
from adapter_host.capability.step_specs import BUILTIN_STEPS, StepModels, StepSpec
from adapter_host.capability.validation_errors import located_problems
from adapter_host.document.dialects import is_import, version_key
from adapter_host.document.imports import SECTIONS, is_fragment
from adapter_host.document.messages import describe_type, did_you_mean, format_value, join_words
from adapter_host.document.source import Loc, Source
from adapter_host.errors import BindError, Problem
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.schemas.resolve import SCHEMAS

from .skipped import enclosing_unit, remove_units, skipped_operations

ModelT = TypeVar("ModelT", bound=Model)

FIRST_PARTY: Final = {
    ("consumes", "http"): "adapter-host-http",
    ("exposes", "rest"): "adapter-host-rest",
    ("exposes", "mcp"): "adapter-host-mcp",
    ("exposes", "skill"): "adapter-host-skill",
    ("exposes", "control"): "adapter-host-control",
    ("steps", "script"): "adapter-host-scripting",
}
"""The distributions with the types of the language, to suggest when one is not installed."""

_ADAPTER_KINDS: Final = {"consumes": "consumer", "exposes": "exposer", "steps": "step"}
_ROOT_KEYS: Final = ("info", "binds", "consumes", "capability")
_OTHER_ROOT_KEYS: Final = ("naftiko", "ikanos", "exposes", "aggregates")


class Parser:
    """Parses the sections of one document and collects their problems."""

    def __init__(self, source: Source, plugins: Plugins, problems: list[Problem]) -> None:
        self._source = source
        self._plugins = plugins
        self._problems = problems
        known_steps = dict.fromkeys((*BUILTIN_STEPS, *plugins.step_types))
        self._steps = StepModels(
            self._step_model, lambda type_name: self._unknown_type_message("steps", type_name, known_steps)
        )
        self.base: Loc = () if is_fragment(source.data) else ("capability",)
        self.skipped: list[Mapping[str, Any]] = []
        self._skip_invalid = False
        self._left_out: list[Loc] = []
        self._binds = list(self._parse_binds())

    def _step_model(self, type_name: str) -> type[StepSpec] | None:
        step_type = self._plugins.step_types.get(type_name)
        return None if step_type is None else step_type.config_class

    def parse(self, version: str, *, skip_invalid: bool = False) -> Capability | None:
        """Return the capability; with `skip_invalid` without the smallest parts of adapters that contain errors.

        Those of `consumes` are described in `skipped`. Errors elsewhere prevent the capability from running.
        """
        data = self._source.data
        section = data if not self.base else data.get("capability")
        if not isinstance(section, dict):
            message = "'capability' is missing; nothing would be exposed"
            self._problem(("capability",), message, code="missing-key")
            return None
        known = (version_key(data) or "naftiko", *_ROOT_KEYS)
        self._warn_unknown((key for key in data if key not in _OTHER_ROOT_KEYS), (), known)
        if self.base:
            self._warn_unknown(section, self.base, SECTIONS)
        for name in SECTIONS if self.base else ():
            if name in data and name != "binds":
                message = f"'{name}' is ignored at the top level; move it below 'capability'"
                self._problem((name,), message, code="ignored", warning=True, key=True)
        if self.base and not section.get("exposes") and not section.get("consumes"):
            message = "nothing is exposed or consumed; add 'exposes' or 'consumes'"
            self._problem(("capability", "exposes"), message, code="missing-key")
        self._skip_invalid = skip_invalid
        info = self._parse_model(Info, data.get("info") or {}, ("info",))
        consumes = self._parse_adapters("consumes", self._plugins.consumers)
        aggregates = self._parse_aggregates()
        exposes = self._parse_adapters("exposes", self._plugins.exposers)
        # The sections are validated models; validating them again would only copy them.
        capability = Capability.model_construct(
            version=version,
            info=info or Info(),
            binds=tuple(bind for _, bind in self._binds),
            consumes=tuple(adapter for adapter in consumes if isinstance(adapter, ConsumerConfig)),
            aggregates=tuple(aggregates),
            exposes=tuple(adapter for adapter in exposes if isinstance(adapter, ExposerConfig)),
            x_schemas=self._read_schemas(),
        )
        # Positions of models are their indexes in the document.
        remove_units(self._source, self._left_out)
        return capability

    def _read_schemas(self) -> dict[str, Any]:
        schemas = self._source.data.get(SCHEMAS)
        if schemas is None or isinstance(schemas, dict):
            return schemas or {}
        message = f"'{SCHEMAS}' must be a mapping of schemas by name, not {describe_type(schemas)}"
        self._problem((SCHEMAS,), message, code="type")
        return {}

    def _parse_binds(self) -> Iterator[tuple[Loc, Bind]]:
        for section in (("binds",), ("capability", "binds")):
            for index, entry in enumerate(self._read_list(section)):
                loc = (*section, index)
                if is_import(entry):
                    continue  # reported where imports are resolved
                if bind := self._parse_model(Bind, entry, loc):
                    yield loc, bind

    @property
    def binds(self) -> list[Bind]:
        """The binds of the document."""
        return [bind for _, bind in self._binds]

    def bound_names(self, environment: Mapping[str, str]) -> Iterator[BindVariable]:
        """Yield the names that the binds of the document declare; report binds with an invalid location."""
        for loc, bind in self._binds:
            try:
                origin = self._origin(bind, loc, environment)
            except BindError as error:
                self._problem((*loc, "location"), str(error), code="bind")
                continue
            for variable, key in bind.keys.items():
                yield BindVariable(bind.namespace, variable, key, origin)

    def _origin(self, bind: Bind, loc: Loc, environment: Mapping[str, str]) -> CachedSource:
        source = self._bind_source(bind.location or "environment://")
        owner = self._plugins.owner(source)
        with wrap_source_errors(source, owner):
            bind_source = source(bind.location or "", Path(self._source.position_of(loc)[0]).parent, environment)

        def report(reason: str) -> Problem:
            keys = join_words(bind.keys.values(), "and")
            message = f"bind '{bind.namespace}' cannot be read: {reason} (keys: {keys})"
            return self._source.problem((*loc, "location"), message, code="unreadable-bind")

        return CachedSource(f"bind '{bind.namespace}'", bind_source, report, owner)

    def _bind_source(self, location: str) -> type[BindSource]:
        scheme, separator, _ = location.partition("://")
        if not separator:
            raise BindError("'location' of a bind must be a URL, such as file://./secrets.yaml")
        known = self._plugins.bind_sources
        if (source := known.get(scheme.lower())) is None:
            hints = [f"known: {', '.join(sorted(known))}", *map(str, self._plugins.failed)]
            raise BindError(f"unknown bind scheme '{scheme}://'{did_you_mean(scheme, known)} ({'; '.join(hints)})")
        return source

    def _parse_aggregates(self) -> list[AggregateSpec]:
        loc: Loc = (*self.base, "aggregates")
        entries = [(index, entry) for index, entry in enumerate(self._read_list(loc)) if not is_import(entry)]
        aggregates = [self._parse_model(AggregateSpec, entry, (*loc, index)) for index, entry in entries]
        self._left_out += [(*loc, index) for index, entry in enumerate(self._read_list(loc)) if is_import(entry)]
        self._left_out += [
            (*loc, index) for (index, _), parsed in zip(entries, aggregates, strict=True) if parsed is None
        ]
        return [aggregate for aggregate in aggregates if aggregate]

    def _parse_adapters(self, section: str, registry: Mapping[str, Any]) -> Iterator[Model]:
        namespaces: set[str] = set()
        for index, entry in enumerate(self._read_list((*self.base, section))):
            loc = (*self.base, section, index)
            config = self._parse_entry(section, registry, entry, loc)
            if config and config.namespace in namespaces:
                message = f"namespace '{config.namespace}' is declared twice in '{section}'"
                self._problem((*loc, "namespace"), message, code="duplicate-namespace")
                config = None
            if config is None:
                self._record_skipped(loc, loc)
                self._left_out.append(loc)
            else:
                namespaces.add(config.namespace)
                yield config

    def _parse_entry(self, section: str, registry: Mapping[str, Any], entry: Any, loc: Loc) -> Any:
        if not isinstance(entry, dict):
            message = f"an adapter must be a mapping with 'type' and 'namespace', not {describe_type(entry)}"
            self._problem(loc, message, code="type")
            return None
        # The problems of imports are reported where they are resolved.
        return None if is_import(entry) else self._parse_adapter(section, registry, entry, loc)

    def _parse_adapter(self, section: str, registry: Mapping[str, Any], entry: dict[str, Any], loc: Loc) -> Any:
        type_name = entry.get("type")
        if not isinstance(type_name, str):
            self._problem(loc, f"'type' is missing (known: {self._names_of(registry)})", code="missing-key")
        elif (adapter := registry.get(type_name)) is None:
            self._problem((*loc, "type"), self._unknown_type_message(section, type_name, registry), code="unknown-type")
        else:
            config_class = adapter.config_class
            if "tunnel" in entry and "tunnel" not in config_class.model_fields:
                self._problem((*loc, "tunnel"), _tunnel_message(entry["tunnel"]), code="unsupported", key=True)
            return self._parse_model(config_class, entry, loc)
        return None

    def _unknown_type_message(self, section: str, type_name: Any, registry: Mapping[str, Any]) -> str:
        hints = [f"installed: {self._names_of(registry)}"]
        hints += [f"{error}" for error in self._plugins.failed]
        suggestion = did_you_mean(type_name, registry) if isinstance(type_name, str) else ""
        distribution = FIRST_PARTY.get((section, type_name), "") if isinstance(type_name, str) else ""
        if distribution and not any(f"({distribution} " in hint for hint in hints):
            hints.append(f"pip install {distribution}")
        return f"unknown {_ADAPTER_KINDS[section]} type {format_value(type_name)}{suggestion} ({'; '.join(hints)})"

    @staticmethod
    def _names_of(registry: Mapping[str, Any]) -> str:
        return ", ".join(sorted(registry)) or "none"

    def _read_list(self, loc: Loc) -> list[Any]:
        value: Any = self._source.data
        for key in loc:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None or isinstance(value, list):
            return value or []
        self._problem(loc, f"'{loc[-1]}' must be a list, not {describe_type(value)}", code="type")
        return []

    def _parse_model(self, model: type[ModelT], data: Any, loc: Loc) -> ModelT | None:
        while True:
            try:
                return model.model_validate(data, context=self._steps)
            except ValidationError as error:
                problems = located_problems(error, self._source, loc)
            self._add_problems(problem for problem, _ in problems)
            units = [unit for _, location in problems if (unit := enclosing_unit(location, loc)) is not None]
            if not self._skip_invalid:
                return None
            if len(units) < len(problems):
                return None
            for unit in units:
                self._record_skipped(unit, loc)
            remove_units(self._source, units)
            data = self._source.nodes_to(loc)[-1].value

    def _record_skipped(self, loc: Loc, adapter: Loc) -> None:
        if self._skip_invalid and adapter[-2] == "consumes":
            self.skipped += skipped_operations(self._source, loc, adapter)

    def _warn_unknown(self, keys: Iterable[str], loc: Loc, known: Sequence[str]) -> None:
        for key in keys:
            if key not in known and not key.startswith("x-"):
                self._problem((*loc, key), unknown_key_message(key, known), code="unknown-key", warning=True, key=True)

    def _problem(self, loc: Loc, message: str, *, code: str, warning: bool = False, key: bool = False) -> None:
        self._add_problems([self._source.problem(loc, message, code=code, warning=warning, key=key)])

    def _add_problems(self, problems: Iterable[Problem]) -> None:
        self._problems += (problem.as_skipped for problem in problems) if self._skip_invalid else problems


def unknown_key_message(key: str, known: Sequence[str]) -> str:
    """Return the message for a key that the language does not have here."""
    hint = did_you_mean(key, known) or f" (known: {join_words(known, 'and')})"
    return f"unknown key '{key}' is ignored{hint}"


def _tunnel_message(tunnel: Any) -> str:
    type_name = tunnel.get("type") if isinstance(tunnel, dict) else None
    described = f"tunnel type '{type_name}'" if isinstance(type_name, str) else "'tunnel'"
    return f"{described} is not supported by any installed plugin"
