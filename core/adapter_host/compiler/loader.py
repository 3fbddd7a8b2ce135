"""Load documents: read files, resolve imports, parse with the models of plugins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from adapter_host.binds.binds import Binds, BindSource, BindVariable, CachedSource, wrap_source_errors
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model, known_keys
from adapter_host.capability.spec import (
    BUILTIN_STEPS,
    AggregateSpec,
    Bind,
    Capability,
    ConsumerConfig,
    ExposerConfig,
    Info,
    StepModels,
)
from adapter_host.capability.validation_errors import validation_problems
from adapter_host.document.dialects import is_import, normalize, read_version, version_key
from adapter_host.document.imports import SECTIONS, ImportResolver, is_fragment
from adapter_host.document.messages import describe_type, did_you_mean, format_value, join_words
from adapter_host.document.source import Loc, Source
from adapter_host.errors import BindError, Problem, ProblemsError
from adapter_host.plugin.manager import Plugins
from adapter_host.settings import Settings

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


def find_documents(paths: Sequence[str | Path]) -> Iterator[Source | Path]:
    """Yield the documents at the paths, in order; a directory stands for every capability file below it.

    Files of a directory are yielded as sources, as they have been read; unreadable files and other paths as paths.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from (document for file in _files(path) if (document := _read_if_capability(file)) is not None)
        else:
            yield path


def _files(folder: Path) -> list[Path]:
    files = (file for file in folder.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _read_if_capability(file: Path) -> Source | Path | None:
    try:
        source = Source.read(file)
    except ProblemsError:
        return file  # reported when it is loaded
    capability = source.data.get("capability")
    if not isinstance(capability, dict):
        return source if "capability" in source.data else None
    return source if "exposes" in capability or "shared" not in file.parts else None


def load_document(source: Source, plugins: Plugins, settings: Settings, *, strict: bool = False) -> LoadedCapability:
    """Parse a document; raise `ProblemsError` with all of its problems.

    With `strict`, validate it against the official schema too.
    """
    version, problems = read_version(source)
    if not all(problem.warning for problem in problems):
        raise ProblemsError(problems)
    if strict:
        # Imported late: the official schemas are a third of this package, and few commands need them.
        from adapter_host.document.strict import check_strict

        problems += check_strict(source)
    problems += normalize(source)
    imports = ImportResolver(source)
    imports.resolve()
    problems += imports.problems
    parser = _Parser(source, plugins, problems)
    names = list(parser.bound_names(settings.environment))
    for other in imports.bind_files.values():
        names += _Parser(other, plugins, problems).bound_names(settings.environment)
    capability = parser.parse(version)
    if capability is None or any(not problem.warning for problem in problems):
        raise ProblemsError(problems)
    binds = Binds(names, settings.environment, mock=settings.mock)
    loaded = LoadedCapability.create(
        source,
        capability,
        binds,
        base=parser.base,
        files=imports.files,
        callers=imports.original_namespaces,
        problems=problems,
    )
    _warn_unknown_keys(loaded)
    return loaded


class _Parser:
    """Parses the sections of one document and collects their problems."""

    def __init__(self, source: Source, plugins: Plugins, problems: list[Problem]) -> None:
        self._source = source
        self._plugins = plugins
        self._problems = problems
        models = {type_name: step_type.config_class for type_name, step_type in plugins.step_types.items()}
        models_by_type = {**BUILTIN_STEPS, **models}
        self._steps = StepModels(
            models, lambda type_name: self._unknown_type_message("steps", type_name, models_by_type)
        )
        self.base: Loc = () if is_fragment(source.data) else ("capability",)
        self._binds = list(self._parse_binds())

    def parse(self, version: str) -> Capability | None:
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
        info = self._parse_model(Info, data.get("info") or {}, ("info",))
        consumes = self._parse_adapters("consumes", self._plugins.consumers)
        aggregates = self._parse_aggregates()
        exposes = self._parse_adapters("exposes", self._plugins.exposers)
        # The sections are validated models; validating them again would only copy them.
        return Capability.model_construct(
            version=version,
            info=info or Info(),
            binds=tuple(bind for _, bind in self._binds),
            consumes=tuple(adapter for adapter in consumes if isinstance(adapter, ConsumerConfig)),
            aggregates=tuple(aggregates),
            exposes=tuple(adapter for adapter in exposes if isinstance(adapter, ExposerConfig)),
        )

    def _parse_binds(self) -> Iterator[tuple[Loc, Bind]]:
        for section in (("binds",), ("capability", "binds")):
            for index, entry in enumerate(self._read_list(section)):
                loc = (*section, index)
                if is_import(entry):
                    continue  # reported where imports are resolved
                if bind := self._parse_model(Bind, entry, loc):
                    yield loc, bind

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
        with wrap_source_errors(source):
            bind_source = source(bind.location or "", Path(self._source.position_of(loc)[0]).parent, environment)

        def report(reason: str) -> Problem:
            keys = join_words(bind.keys.values(), "and")
            message = f"bind '{bind.namespace}' cannot be read: {reason} (keys: {keys})"
            return self._source.problem((*loc, "location"), message, code="unreadable-bind")

        return CachedSource(f"bind '{bind.namespace}'", bind_source, report)

    def _bind_source(self, location: str) -> type[BindSource]:
        scheme, separator, _ = location.partition("://")
        if not separator:
            raise BindError("'location' of a bind must be a URL, such as file://./secrets.yaml")
        known = self._plugins.bind_sources
        if scheme.lower() not in known:
            hints = [f"known: {', '.join(sorted(known))}", *map(str, self._plugins.failed)]
            raise BindError(f"unknown bind scheme '{scheme}://'{did_you_mean(scheme, known)} ({'; '.join(hints)})")
        return known[scheme.lower()]

    def _parse_aggregates(self) -> list[AggregateSpec]:
        loc: Loc = (*self.base, "aggregates")
        entries = [(index, entry) for index, entry in enumerate(self._read_list(loc)) if not is_import(entry)]
        aggregates = [self._parse_model(AggregateSpec, entry, (*loc, index)) for index, entry in entries]
        return [aggregate for aggregate in aggregates if aggregate]

    def _parse_adapters(self, section: str, registry: Mapping[str, Any]) -> Iterator[Model]:
        namespaces: set[str] = set()
        for index, entry in enumerate(self._read_list((*self.base, section))):
            loc = (*self.base, section, index)
            if not isinstance(entry, dict):
                message = f"an adapter must be a mapping with 'type' and 'namespace', not {describe_type(entry)}"
                self._problem(loc, message, code="type")
                continue
            if is_import(entry):
                continue  # reported where imports are resolved
            config = self._parse_adapter(section, registry, entry, loc)
            if config and config.namespace in namespaces:
                message = f"namespace '{config.namespace}' is declared twice in '{section}'"
                self._problem((*loc, "namespace"), message, code="duplicate-namespace")
            elif config:
                namespaces.add(config.namespace)
                yield config

    def _parse_adapter(self, section: str, registry: Mapping[str, Any], entry: dict[str, Any], loc: Loc) -> Any:
        type_name = entry.get("type")
        if not isinstance(type_name, str):
            self._problem(loc, f"'type' is missing (known: {self._names_of(registry)})", code="missing-key")
        elif type_name not in registry:
            self._problem((*loc, "type"), self._unknown_type_message(section, type_name, registry), code="unknown-type")
        else:
            config_class = registry[type_name].config_class
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
        try:
            return model.model_validate(data, context=self._steps)
        except ValidationError as error:
            self._problems += validation_problems(error, self._source, loc)
            return None

    def _warn_unknown(self, keys: Iterable[str], loc: Loc, known: Sequence[str]) -> None:
        for key in keys:
            if key not in known and not key.startswith("x-"):
                self._problem((*loc, key), unknown_key_message(key, known), code="unknown-key", warning=True, key=True)

    def _problem(self, loc: Loc, message: str, *, code: str, warning: bool = False, key: bool = False) -> None:
        self._problems.append(self._source.problem(loc, message, code=code, warning=warning, key=key))


def unknown_key_message(key: str, known: Sequence[str]) -> str:
    """Return the message for a key that the language does not have here."""
    hint = did_you_mean(key, known) or f" (known: {join_words(known, 'and')})"
    return f"unknown key '{key}' is ignored{hint}"


def _tunnel_message(tunnel: Any) -> str:
    type_name = tunnel.get("type") if isinstance(tunnel, dict) else None
    described = f"tunnel type '{type_name}'" if isinstance(type_name, str) else "'tunnel'"
    return f"{described} is not supported by any installed plugin"


def _warn_unknown_keys(loaded: LoadedCapability) -> None:
    source = loaded.source
    for model, _ in loaded.models:
        for key in model.model_extra or ():
            if not key.startswith("x-"):
                message = unknown_key_message(key, [source.term(name) for name in known_keys(type(model))])
                loaded.problem(message, loaded.loc(model, key), code="unknown-key", warning=True, key=True)
