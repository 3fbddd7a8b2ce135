"""The language service: requests of editors about documents, whose texts are those in the editor's buffers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from adapter_host.compiler.language_schema.document import language_schema
from adapter_host.document.nodes import Position
from adapter_host.document.source import MAX_BYTES, Source
from adapter_host.document.text.formatting import formatted
from adapter_host.document.text.layout import Layout
from adapter_host.errors import PluginError, Problem, ProblemsError
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.regular_files import read_regular_file
from adapter_host.restricted_reads import RestrictedReads, restrict_reads
from adapter_host.settings import Settings

from .check import Check, check_text, is_capability, is_capability_text
from .completion import Completion, Knowledge, completions
from .cursor import Place, insertion_at, place_at
from .fixes import Document, Edit, edits_of, suggested_edits, title_of
from .includes import include_loc
from .marks import Marks
from .names import import_loc
from .navigation import definitions, description
from .schema_walk import SchemaWalk

MAX_CHARACTERS: Final = 1_000_000
"""The longest text that is checked; editors send a text again with every change."""


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """A problem of a document with the part of its text, from `start` to `end`.

    `origin` is the problem as `adapter-host validate` reports it. One in a file that the document imports is at the
    import.
    """

    origin: Problem
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Fix:
    """A change of a text that removes a problem: parts of it, and the texts in their place.

    `is_certain` is True for a change that `adapter-host validate --fix` makes, and False for a suggestion.
    """

    title: str
    problem: DocumentProblem
    edits: Sequence[Edit]
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Declaration:
    """The place of a declaration: a file, its text, and a position in it."""

    file: str
    text: str = field(repr=False)
    position: int


@dataclass(slots=True)
class LanguageService:
    """The meaning of capability files for editors: problems, completions, declarations and descriptions.

    Positions are numbers of characters from the start of a text. Files are read in `folders` and below, nothing is
    fetched, and secrets are not read. An instance is used by one thread at a time.
    """

    plugins: Plugins
    folders: Sequence[Path] = ()
    texts: Mapping[Path, str] = field(default_factory=dict)
    """The texts in buffers by the real paths of their files, which are read in the place of the files."""
    settings: Settings = field(default_factory=Settings)
    """The settings of the host; its environment is not read."""
    expects_capabilities: bool = False
    """Whether all texts are capabilities, so that another text has a problem."""
    _checks: dict[str, tuple[str, Check]] = field(default_factory=dict, init=False, repr=False)
    _last: dict[str, Check] = field(default_factory=dict, init=False, repr=False)
    _walk: SchemaWalk | None = field(default=None, init=False, repr=False)

    def problems(self, file: str, text: str) -> list[DocumentProblem]:
        """Check a text and return its problems in order; an unexpected text, which is no capability, has none."""
        if len(text) > MAX_CHARACTERS:
            return self._too_long(file) if self.expects_capabilities or is_capability_text(text) else []
        try:
            check = self._check(file, text, again=True)
        except PluginError as error:
            return [DocumentProblem(Problem(str(error), file, 1, 1, "plugin"), 0, 0)]
        return self._document_problems(file, text, check)

    def _document_problems(self, file: str, text: str, check: Check) -> list[DocumentProblem]:
        marks = Marks(text)
        others = {problem.file for problem in check.problems} - {file}
        source = Source.parse(text, file) if others else None
        imports = {} if source is None else {name: _place_of(source, name) for name in others}
        found = []
        for problem in check.problems:
            _, line, column = imports.get(problem.file, (file, problem.line, problem.column))
            found.append(DocumentProblem(problem, *marks.range_of(line, column)))
        return sorted(found, key=lambda problem: problem.start)

    def _too_long(self, file: str) -> list[DocumentProblem]:
        message = f"longer than {MAX_CHARACTERS:,} characters; check it with `adapter-host validate`"
        return [DocumentProblem(Problem(message, file, 1, 1, "not-checked", warning=True), 0, 0)]

    def complete(self, file: str, text: str, position: int) -> list[Completion]:
        """Return what can be written at a position."""
        item = None if len(text) > MAX_CHARACTERS else insertion_at(text, position, file)
        if item is None or not is_capability(item.source):
            return []
        if file not in self._last:
            self._check(file, text)
        known = Knowledge(self._last.get(file, Check()), self._schema, partial(self._check_text, file))
        return completions(item, known, text[position : position + 2])

    def definitions(self, file: str, text: str, position: int) -> list[Declaration]:
        """Return where the name at a position is declared."""
        found = self._find(file, text, position)
        if found is None:
            return []
        places = definitions(found[0], position, found[1], self._check(file, text))
        declarations = []
        for name, line, column in places:
            other = text if name == file else self._text_of(name)
            if other is not None:
                declarations.append(Declaration(name, other, Marks(other).position(line, column)))
        return declarations

    def description(self, file: str, text: str, position: int) -> str:
        """Return the upstream request, the cost in tokens, or the source of a secret, at a position, as Markdown."""
        found = self._find(file, text, position)
        return "" if found is None else description(found[0], position, found[1], self._check(file, text))

    def fixes(self, file: str, text: str, start: int, end: int) -> list[Fix]:
        """Return the fixes of the problems between two positions."""
        if len(text) > MAX_CHARACTERS or not is_capability_text(text):
            return []
        found = [
            problem
            for problem in self._document_problems(file, text, self._check(file, text))
            if problem.start <= end and start <= problem.end
        ]
        document = Document.read(text, file) if found else None
        fixes = [Fix(title_of(item.origin), item, edits_of(document, item.origin)) for item in found]
        for item in found:
            title, edits = suggested_edits(document, item.origin)
            fixes.append(Fix(title, item, edits, is_certain=False))
        return [fix for fix in fixes if fix.edits]

    def format(self, file: str, text: str) -> str | None:
        """Return a text as `adapter-host fmt` writes it, or None for one that is not valid, or is no capability."""
        if len(text) > MAX_CHARACTERS or not is_capability_text(text):
            return None
        try:
            return formatted(text, file)
        except ProblemsError:
            return None  # the problems of its text are reported by `problems`

    def files(self, file: str) -> Sequence[str]:
        """Return the files that the last plan of a document was made from."""
        plan = self._last[file].plan if file in self._last else None
        return () if plan is None else plan.loaded.files

    def forget(self, file: str) -> None:
        """Forget a document that is closed."""
        self._checks.pop(file, None)
        self._last.pop(file, None)

    def _check_text(self, file: str, text: str) -> Check:
        with restrict_reads(RestrictedReads(self.folders, self.texts)):
            settings = replace(self.settings, environment={})
            return check_text(text, file, self.plugins, settings, expected=self.expects_capabilities)

    def _schema(self) -> SchemaWalk:
        if self._walk is None:
            self._walk = SchemaWalk(language_schema(self.plugins))
        return self._walk

    def _text_of(self, file: str) -> str | None:
        """Return the text of a file that may be read, or None."""
        try:
            with restrict_reads(RestrictedReads(self.folders, self.texts)):
                return read_regular_file(file, MAX_BYTES).decode(errors="replace")
        except (OSError, ValueError):
            return None

    def _find(self, file: str, text: str, position: int) -> tuple[Place, Source] | None:
        if len(text) > MAX_CHARACTERS or not is_capability_text(text):
            return None
        try:
            source = Source.parse(text, file)
        except ProblemsError:
            return None  # its problems are reported by `problems`
        place = place_at(Layout(text), position)
        return None if place is None else (place, source)

    def _check(self, file: str, text: str, *, again: bool = False) -> Check:
        """Return the check of a text and keep it; check `again` if other files may have changed."""
        known = self._checks.get(file)
        if known is not None and known[0] == text and not again:
            return known[1]
        check = self._check_text(file, text)
        self._checks[file] = text, check
        if check.plan is not None:
            self._last[file] = check
        return check


def _place_of(source: Source, file: str) -> Position:
    """Return where a document imports or includes another file."""
    return source.position_of(import_loc(source, file) or include_loc(source, file))
