"""Consumed APIs taken from other files: `import`, `location` and `as` in `capability.consumes`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapter_host.errors import Problem, ProblemsError

from .source import Source
from .words import suggest


@dataclass(slots=True)
class Imports:
    """What a document took from other files: the files, the new names (`as`) by index, and what could not be."""

    sources: list[Source] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def resolve_imports(source: Source) -> Imports:
    """Replace each import by the entry that it names."""
    capability = source.data.get("capability")
    consumes = capability.get("consumes") if isinstance(capability, dict) else None
    imports = Imports()
    for index, entry in enumerate(consumes if isinstance(consumes, list) else ()):
        if is_import(entry):
            try:
                imports.sources.append(_resolve(source, ("capability", "consumes", index), entry))
                if "as" in entry:
                    imports.names[index] = str(entry["as"])
            except ProblemsError as error:
                imports.problems.extend(error.problems)
    return imports


def is_import(entry: Any) -> bool:
    """Whether an entry of `consumes` stands for one of another file."""
    return isinstance(entry, dict) and "import" in entry and "baseUri" not in entry


def _resolve(source: Source, loc: tuple[str | int, ...], entry: dict[str, Any]) -> Source:
    location = entry.get("location")
    if not isinstance(location, str) or not location:
        message = f"'import: {entry['import']}' has no 'location' (the path of the file to import from)"
        raise ProblemsError([source.problem(loc, message, code="import")])
    if "://" in location and not location.startswith("file://"):
        message = f"'{location}' is not a local file; only files are imported"
        raise ProblemsError([source.problem((*loc, "location"), message, code="import")])
    other = _read(source, (*loc, "location"), location)
    found, names = _find(other, str(entry["import"]))
    if found is None:
        message = f"'{location}' consumes nothing named '{entry['import']}'{suggest(str(entry['import']), names)}"
        message += f" (it has: {', '.join(names) or 'nothing'})"
        raise ProblemsError([source.problem((*loc, "import"), message, code="import")])
    if is_import(other.path(found)[-1].value):
        message = f"'{entry['import']}' is an import in '{location}' too; import it from the file that declares it"
        raise ProblemsError([source.problem((*loc, "import"), message, code="import")])
    source.graft(loc, other, found)
    return other


def _read(source: Source, loc: tuple[str | int, ...], location: str) -> Source:
    path = Path(source.file).parent / location.removeprefix("file://")
    try:
        return Source.read(path)
    except ProblemsError as error:
        if any(problem.line for problem in error.problems):
            raise
        reasons = "; ".join(problem.message for problem in error.problems)
        raise ProblemsError([source.problem(loc, f"cannot import '{location}': {reasons}", code="import")]) from error


def _find(other: Source, name: str) -> tuple[tuple[str | int, ...] | None, list[str]]:
    names = []
    for section in (("consumes",), ("capability", "consumes")):
        entries: Any = other.data
        for key in section:
            entries = entries.get(key) if isinstance(entries, dict) else None
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("namespace"), str):
                if entry["namespace"] == name:
                    return (*section, index), []
                names.append(entry["namespace"])
    return None, names
