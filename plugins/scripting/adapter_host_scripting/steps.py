"""The step type `script`: compiles scripts when the document is loaded, and runs them on each call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from adapter_host import Arguments, BuildContext, Call, Problem, Result, StepType, UnavailableError, parse_location

from .config import ScriptingConfig, ScriptStepSpec
from .files import Source, read_source
from .language import InvalidScriptError, Language, Limits, Program


def _javascript() -> Language:
    from .javascript import JavaScript

    return JavaScript()


def _python() -> Language:
    from .python import Python

    return Python()


# An engine is only imported if a document has a script for it.
_LANGUAGES: Final[Mapping[str, Callable[[], Language]]] = {"javascript": _javascript, "python": _python}

# Settings that determine the file or language of steps without their own.
_SOURCE_KEYS: Final = frozenset({"defaultLocation", "defaultLanguage", "allowedLanguages"})


class StepConfigError(Exception):
    """The settings of a step are invalid; `keys` locate the error in the step."""

    def __init__(self, message: str, *keys: str | int, code: str = "invalid") -> None:
        self.keys, self.code = keys, code
        super().__init__(message)


@dataclass(slots=True)
class Script:
    """A step and its current program."""

    spec: ScriptStepSpec
    language: str
    program: Program


@dataclass(slots=True)
class Statistics:
    """Statistics of the scripts of a document."""

    executions: int = 0
    errors: int = 0
    seconds: float = 0.0
    last: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics as plain data."""
        average = self.seconds * 1000 / self.executions if self.executions else 0.0
        return {
            "totalExecutions": self.executions,
            "totalErrors": self.errors,
            "averageDurationMs": round(average, 3),
            "lastExecutionAt": self.last.isoformat() if self.last else None,
        }


class ScriptSteps(StepType[ScriptStepSpec]):
    """Runs scripts; `context` has the operation's inputs, the results of earlier steps, and the step's `with`."""

    config_class: ClassVar[type[ScriptStepSpec]] = ScriptStepSpec
    takes_context = True
    writes = False

    def __init__(self, context: BuildContext) -> None:
        super().__init__(context)
        self._languages: dict[str, Language] = {}
        self._scripts: list[Script] = []
        self._statistics = Statistics()
        self._started = False
        self.scripting = _read_scripting(context)

    def compile(self, spec: ScriptStepSpec) -> Call | None:
        """Read and compile the files of a step; report errors at their lines."""
        try:
            script = self._script(spec, self.scripting)
        except StepConfigError as error:
            self.context.problem(str(error), spec, *error.keys, code=error.code)
            return None
        except InvalidScriptError as error:
            problem = Problem(str(error), error.source.path, error.line, error.column, code="script")
            self.context.loaded.diagnostics.add(problem)
            return None
        self._scripts.append(script)
        return lambda arguments: self._call(script, arguments)

    async def start(self) -> None:
        """Start the languages in use."""
        self._started = True
        for script in self._scripts:
            await self._languages[script.language].start()

    async def stop(self) -> None:
        """Stop the languages and all running scripts."""
        self._started = False
        for language in self._languages.values():
            await language.stop()

    def status(self) -> Mapping[str, Any]:
        """Return the current settings, by the keys of the document, and statistics."""
        return {**self.scripting.model_dump(by_alias=True, mode="json"), "stats": self._statistics.as_dict()}

    def adjust(self, changes: Mapping[str, Any]) -> None:
        """Change settings, and recompile steps that depend on changed defaults; raises `ValueError`."""
        scripting = self.scripting.with_changes(changes)
        recompiled = []
        for script in () if _SOURCE_KEYS.isdisjoint(changes) else self._scripts:
            if script.spec.location and script.spec.language:
                continue
            try:
                recompiled.append((script, self._script(script.spec, scripting)))
            except StepConfigError as error:
                if error.code != "disallowed":
                    raise ValueError(f"step '{script.spec.name}': {error}") from None
            except InvalidScriptError as error:
                raise ValueError(f"{error.source.name}:{error.line}: {error}") from None
        for script, replacement in recompiled:
            script.language, script.program = replacement.language, replacement.program
        self.scripting = scripting

    def _script(self, spec: ScriptStepSpec, scripting: ScriptingConfig) -> Script:
        language = self._language(spec, scripting)
        sources = self._sources(spec, scripting)
        return Script(spec, language.name, language.compile(sources))

    def _language(self, spec: ScriptStepSpec, scripting: ScriptingConfig) -> Language:
        name = spec.language or scripting.default_language
        if name is None:
            names = " or ".join(_LANGUAGES)
            message = f"'language' is missing; set it to {names}, or set management.scripting.defaultLanguage"
            raise StepConfigError(message, code="missing-key")
        keys = ("language",) if spec.language else ()
        if name not in _LANGUAGES:
            message = f"language '{name}' is not supported; use {' or '.join(_LANGUAGES)}"
            raise StepConfigError(message, *keys, code="unsupported")
        if not _is_allowed(name, scripting):
            raise StepConfigError(_not_allowed_message(name, scripting), *keys, code="disallowed")
        if name not in self._languages:
            self._languages[name] = _LANGUAGES[name]()
        return self._languages[name]

    def _sources(self, spec: ScriptStepSpec, scripting: ScriptingConfig) -> list[Source]:
        location = spec.location or scripting.default_location
        if location is None:
            message = "'location' is missing; set it (file:///./scripts), or set management.scripting.defaultLocation"
            raise StepConfigError(message, code="missing-key")
        loaded = self.context.loaded
        try:
            folder = parse_location(location, loaded.source.position_of(loaded.loc(spec))[0])
        except ValueError as error:
            raise StepConfigError(str(error), "location") from None
        dependencies: list[tuple[str, tuple[str | int, ...]]] = [
            (name, ("dependencies", index)) for index, name in enumerate(spec.dependencies)
        ]
        sources = []
        for name, keys in [*dependencies, (spec.file, ("file",))]:
            try:
                sources.append(read_source(folder, name))
            except ValueError as error:
                raise StepConfigError(str(error), *keys, code="script-file") from None
        for source in sources:
            loaded.add_file(source.path)
        return sources

    async def _call(self, script: Script, arguments: Arguments) -> Result:
        scripting = self.scripting
        if not self._started:
            raise UnavailableError("the host has stopped")
        if not scripting.enabled:
            raise UnavailableError("scripts are disabled (management.scripting.enabled)")
        if not _is_allowed(script.language, scripting):
            raise UnavailableError(_not_allowed_message(script.language, scripting))
        limits = Limits(scripting.timeout / 1000, scripting.statement_limit, self.context.settings.response_limit)
        language, program, started = self._languages[script.language], script.program, time.perf_counter()
        # No script used the language when the host started.
        await language.start()
        statistics = self._statistics
        statistics.last = datetime.now(UTC)
        try:
            data = await language.run(program, arguments, limits)
        except BaseException:
            statistics.errors += 1
            raise
        finally:
            statistics.executions += 1
            statistics.seconds += time.perf_counter() - started
        return Result(data=data) if data is not None else Result(status=204, body=b"")


def _read_scripting(context: BuildContext) -> ScriptingConfig:
    """Return the settings of the document's control exposer, or the defaults."""
    for exposer in context.loaded.capability.exposes:
        if exposer.type == "control":
            return context.read_section(ScriptingConfig, exposer, "management", "scripting") or ScriptingConfig()
    return ScriptingConfig()


def _is_allowed(language: str, scripting: ScriptingConfig) -> bool:
    return scripting.allowed_languages is None or language in scripting.allowed_languages


def _not_allowed_message(language: str, scripting: ScriptingConfig) -> str:
    allowed = ", ".join(scripting.allowed_languages or ()) or "none"
    return f"language '{language}' is not allowed (management.scripting.allowedLanguages: {allowed})"
