"""Imports from other files: `import` with `from` (or `location`) and `as`, in any section."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from adapter_host.errors import Problem, ProblemsError

from .dialects import import_file_key, is_import, normalize
from .messages import did_you_mean
from .nodes import Loc, MappingNode, Node
from .source import Source

SECTIONS: Final = ("binds", "consumes", "exposes", "aggregates")


def is_fragment(data: Any) -> bool:
    """Return True for a document that others import from: it has a section at its root and no `capability`."""
    return "capability" not in data and any(section in data for section in SECTIONS)


class ImportResolver:
    """Resolves the imports of a document.

    `files` are the imported files, `bind_files` those whose binds come along. `original_namespaces` are the namespaces
    of imported exposers and aggregates in their own files, regardless of `as`. With `skip_invalid`, failed imports of
    other sections than `binds` are warnings.
    """

    def __init__(self, source: Source, *, skip_invalid: bool = False) -> None:
        self._skip_invalid = skip_invalid
        self.files: dict[str, Source] = {}
        self.bind_files: dict[str, Source] = {}
        self.original_namespaces: set[str] = set()
        self.problems: list[Problem] = []
        self._source = source

    def resolve(self) -> None:
        """Replace each import by the entry that it names."""
        fragment = is_fragment(self._source.data)
        for section in _section_locs(self._source.data):
            if fragment or section[0] == "capability" or section == ("binds",):
                self._resolve(self._source, section, fragment=fragment)
        # An import brings the binds of its file, even those that the file imports itself.
        for source in tuple(self.bind_files.values()):
            for section in _section_locs(source.data):
                if section[-1] == "binds":
                    self._resolve(source, section)

    def _resolve(self, source: Source, section: Loc, *, fragment: bool = False) -> None:
        for index, entry in enumerate(_entries(source, section)):
            if not is_import(entry):
                continue
            try:
                self._replace_import(_ImportEntry(source, (*section, index), entry), fragment=fragment)
            except ProblemsError as error:
                # Without a bind, its variables would be those of the environment.
                skip = self._skip_invalid and section[-1] != "binds"
                self.problems += [problem.as_skipped for problem in error.problems] if skip else error.problems

    def _replace_import(self, item: _ImportEntry, *, fragment: bool) -> None:
        if fragment:
            raise item.error("an imported file cannot have imports; import from the capability", "import")
        path = item.path
        other = self.files[path] if path in self.files else self._read(item)
        node = item.find_target(other)
        item.check(node)
        if item.section in ("aggregates", "exposes") and (original := _name(node.value)):
            self.original_namespaces.add(original)
        item.source.replace(item.loc, item.with_local_name(node))
        item.check_unique()
        if item.section != "binds":
            self.bind_files[path] = other

    def _read(self, item: _ImportEntry) -> Source:
        other = item.read()
        self.files[item.path] = other
        self.problems += normalize(other)
        return other


class _ImportEntry:
    """An entry that imports another file's entry."""

    def __init__(self, source: Source, loc: Loc, entry: dict[str, Any]) -> None:
        self.source = source
        self.loc = loc
        self.section = str(loc[-2])
        self._name = str(entry["import"])
        self._entry = entry

    @property
    def namespace(self) -> str:
        """Its name in this document."""
        return str(self._entry.get("as") or self._entry.get("namespace") or self._name)

    @property
    def path(self) -> str:
        """The path of the imported file."""
        location = self._entry.get("location")
        if not isinstance(location, str) or not location:
            key = import_file_key(self.source)
            message = f"'import: {self._name}' has no '{key}' (the path of the file to import from)"
            raise self.error(message)
        if "://" in location and not location.startswith("file://"):
            raise self.error(f"'{location}' is not a local file; only files can be imported", "location")
        return str(Path(self._file).parent / location.removeprefix("file://"))

    @property
    def _file(self) -> str:
        """The file that contains the import."""
        return self.source.position_of(self.loc)[0]

    def read(self) -> Source:
        """Read the imported file."""
        try:
            return Source.read(self.path)
        except ProblemsError as error:
            if any(problem.line for problem in error.problems):
                raise
            reasons = "; ".join(problem.message for problem in error.problems)
            raise self.error(f"cannot import '{self._location}': {reasons}", "location") from error

    @property
    def _location(self) -> str:
        return str(self._entry["location"])

    def find_target(self, other: Source) -> Node:
        """Return the imported entry."""
        available = []
        for section in _section_locs(other.data):
            for index, entry in enumerate(_entries(other, section) if section[-1] == self.section else ()):
                name = _name(entry)
                if name == self._name:
                    return other.nodes_to((*section, index))[-1]
                available += [name] if name else []
        message = f"'{self._location}' has no '{self._name}' in '{self.section}'{did_you_mean(self._name, available)}"
        raise self.error(f"{message} (it has: {', '.join(available) or 'nothing'})", "import")

    def check(self, node: Node) -> None:
        """Raise an error for an entry that cannot be imported."""
        if is_import(node.value):
            message = (
                f"'{self._name}' is itself an import in '{self._location}'; import it from the file that declares it"
            )
            raise self.error(message, "import")
        if "as" in self._entry and "namespace" not in node.value:
            message = f"'{self._name}' has no namespace, so 'as' has nothing to rename"
            raise self.error(message, "as")

    def with_local_name(self, node: Node) -> Node:
        """Return the entry with this import's name and description, at their positions here."""
        if not isinstance(node, MappingNode):
            return node
        if "description" in self._entry:
            description = self.source.nodes_to((*self.loc, "description"))[-1]
            node = node.with_entry("description", description)
        if "namespace" not in node.entries:
            return node
        key = "as" if "as" in self._entry else "import"
        return node.with_child("namespace", Node(self.namespace, *self.source.position_of((*self.loc, key))))

    def check_unique(self) -> None:
        """Raise an error for a duplicate name; those of adapters are found when they are parsed."""
        if self.section in ("consumes", "exposes"):
            return
        locs = (section for section in _section_locs(self.source.data) if section[-1] == self.section)
        entries = (entry for section in locs for entry in _entries(self.source, section) if not is_import(entry))
        if [_name(entry) for entry in entries].count(self.namespace) > 1:
            message = f"namespace '{self.namespace}' is declared twice in '{self.section}'; rename it with 'as'"
            raise self.error(message, "namespace")

    def error(self, message: str, *keys: str) -> ProblemsError:
        """Return an error at the import, or at one of its keys."""
        return ProblemsError([self.source.problem((*self.loc, *keys), message, code="import")])


def _section_locs(data: Any) -> Iterator[Loc]:
    """Yield the locations of sections: at the root, and below `capability`."""
    for prefix in ((), ("capability",)):
        container = data if not prefix else data.get("capability")
        if isinstance(container, dict):
            yield from ((*prefix, section) for section in SECTIONS if isinstance(container.get(section), list))


def _entries(source: Source, section: Loc) -> list[Any]:
    entries: Any = source.data
    for key in section:
        entries = entries[key]
    return list(entries)


def _name(entry: Any) -> str | None:
    """Return the name that an entry is imported by: its namespace, or its type if it has none."""
    if not isinstance(entry, dict):
        return None
    if is_import(entry):
        name = entry.get("as", entry.get("namespace", entry["import"]))
    else:
        name = entry.get("namespace", "control" if entry.get("type") == "control" else None)
    return name if isinstance(name, str) else None
