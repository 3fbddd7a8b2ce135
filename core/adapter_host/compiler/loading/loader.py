"""Load documents: read files, resolve imports, parse with the models of plugins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from adapter_host.binds.binds import Binds
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import known_keys
from adapter_host.document.dialects import normalize, read_version
from adapter_host.document.imports import ImportResolver
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.settings import Settings

from .openapi_completion import complete_from_openapi
from .parser import Parser, unknown_key_message


def find_documents(paths: Sequence[str | Path]) -> Iterator[Source | Path]:
    """Yield the documents at the paths, in order; a directory stands for every capability file below it.

    Files of a directory are yielded as sources, as they have been read; unreadable files and other paths as paths.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from (document for file in _files(path) if (document := _read_if_capability(file, path)) is not None)
        else:
            yield path


def _files(folder: Path) -> list[Path]:
    files = (file for file in folder.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _read_if_capability(file: Path, folder: Path) -> Source | Path | None:
    try:
        source = Source.read(file)
    except ProblemsError:
        return file  # reported when it is loaded
    capability = source.data.get("capability")
    if not isinstance(capability, dict):
        return source if "capability" in source.data else None
    return source if "exposes" in capability or "shared" not in file.relative_to(folder).parts else None


def load_document(
    source: Source, plugins: Plugins, settings: Settings, *, strict: bool = False, problems: Sequence[Problem] = ()
) -> LoadedCapability:
    """Parse a document; raise `ProblemsError` with all of its problems, and those found before in `problems`.

    With `strict`, validate it against the official schema too.
    """
    version, version_problems = read_version(source)
    problems = [*problems, *version_problems]
    if not all(problem.warning for problem in problems):
        raise ProblemsError(problems)
    if strict:
        # Imported late: the official schemas are a third of this package, and few commands need them.
        from adapter_host.document.strict import check_strict

        problems += check_strict(source)
    problems += normalize(source)
    imports = ImportResolver(source, skip_invalid=settings.skip_invalid)
    imports.resolve()
    problems += imports.problems
    openapi_problems, openapi_files = complete_from_openapi(source, settings.openapi, settings.openapi_overlays)
    problems += [problem.as_skipped for problem in openapi_problems] if settings.skip_invalid else openapi_problems
    parser = Parser(source, plugins, problems)
    names = list(parser.bound_names(settings.environment))
    imported = [Parser(other, plugins, problems) for other in imports.bind_files.values()]
    names += [name for other in imported for name in other.bound_names(settings.environment)]
    capability = parser.parse(version, skip_invalid=settings.skip_invalid)
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
        imported_binds=[bind for other in imported for bind in other.binds],
        problems=problems,
        skipped=parser.skipped,
        skip_invalid=settings.skip_invalid,
    )
    for file in (*source.converted_from, *openapi_files):
        loaded.add_file(file)
    _warn_unknown_keys(loaded)
    return loaded


def _warn_unknown_keys(loaded: LoadedCapability) -> None:
    source = loaded.source
    for model, _ in loaded.models:
        for key in model.model_extra or ():
            if not key.startswith("x-"):
                message = unknown_key_message(key, [source.term(name) for name in known_keys(type(model))])
                loaded.problem(message, loaded.loc(model, key), code="unknown-key", warning=True, key=True)
