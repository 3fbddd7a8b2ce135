"""Fixes of problems: the smallest edits of a document's text that remove a warning and keep its meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapter_host.capability.loaded import is_variable
from adapter_host.document.messages import suggestion_in
from adapter_host.document.nodes import Loc
from adapter_host.document.source import Source
from adapter_host.document.text.layout import Entry, Layout
from adapter_host.document.yaml_scalars import parse_plain
from adapter_host.errors import Problem, ProblemsError

from .cursor import place_at, value_at
from .marks import Marks

_VARIABLE: Final = "undeclared-variable"
_PLAIN: Final = re.compile(r"[A-Za-z_/][\w/{}.-]*")


@dataclass(frozen=True, slots=True)
class Edit:
    """A part of a text, from `start` to `end`, and the text in its place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text with the document in it."""

    text: str
    source: Source
    layout: Layout
    marks: Marks

    @classmethod
    def read(cls, text: str, file: str) -> Document | None:
        """Read a text; return None if it is not valid, which nothing here fixes."""
        try:
            return cls(text, Source.parse(text, file), Layout(text), Marks(text))
        except ProblemsError:
            return None

    def loc_of(self, problem: Problem) -> Loc | None:
        """Return the place of a problem."""
        place = place_at(self.layout, self.marks.position(problem.line, problem.column))
        return None if place is None else place.loc

    def inserted(self, loc: Loc, after: Sequence[str], key: str, value: str | bool | list[str]) -> list[Edit]:
        """Return the insertion of a key into a mapping, behind the last of `after` that it has."""
        span = self.layout.span(loc)
        names = [name for name in after if span is not None and name in span.entries]
        if span is None or not names or span.is_shared or span.has_tags or key in span.entries:
            return []
        entry = span.entries[names[-1]]
        if span.is_flow:
            return [Edit(entry.end, entry.end, f", {key}: {quoted(value, in_flow=True)}")]
        end = self.layout.line_end(entry.end)
        return [Edit(end, end, f"{self.line_break}{' ' * self.column(entry)}{key}: {quoted(value)}")]

    def replaced(self, loc: Loc, value: str) -> list[Edit]:
        """Return the replacement of a scalar."""
        entry = self.layout.entry(loc)
        if entry is None or entry.value.kind != "scalar" or entry.value.is_shared:
            return []
        parent = self.layout.span(loc[:-1])
        in_flow = parent is not None and parent.is_flow
        return [Edit(entry.value.start, entry.value.end, quoted(value, in_flow=in_flow))]

    def column(self, entry: Entry) -> int:
        """Return the number of characters before an entry on its line."""
        return entry.start - self.layout.line_start(entry.start)

    @property
    def line_break(self) -> str:
        """The line break of the text."""
        return "\r\n" if "\r\n" in self.text else "\n"


FindEdits = Callable[[Document, Problem], list[Edit]]


def quoted(value: str | bool | list[str], *, in_flow: bool = False) -> str:
    """Return a value as it is written in YAML: a text plain if it is read as the same text, else in quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = _PLAIN.fullmatch(value) and parse_plain(value) == value and not (in_flow and "{" in value)
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _declare_style(document: Document, problem: Problem) -> list[Edit]:
    loc = document.loc_of(problem)
    return document.inserted(loc[:-1], ("name", "description"), "x-explode", False) if loc else []


def _declare_no_body(document: Document, problem: Problem) -> list[Edit]:
    loc = document.loc_of(problem)
    return document.inserted(loc[:-1], ("method", "description", "call"), "inputParameters", []) if loc else []


def _rename(document: Document, problem: Problem) -> list[Edit]:
    loc = document.loc_of(problem)
    return document.replaced(loc, problem.replacement) if loc and problem.replacement else []


def _place_input(document: Document, problem: Problem) -> list[Edit]:
    """Write the path that is advised into the operation, or into a resource that has no other one."""
    loc = document.loc_of(problem)
    if loc is None or not problem.replacement or "inputParameters" not in loc:
        return []
    operation = loc[: loc.index("inputParameters")]
    if len(operation) < 2 or operation[-2] != "operations":
        return []
    if isinstance(value_at(document.source.data, (*operation, "path")), str):
        return document.replaced((*operation, "path"), problem.replacement)
    is_only_one = len(value_at(document.source.data, operation[:-1])) == 1
    return document.replaced((*operation[:-2], "path"), problem.replacement) if is_only_one else []


def _declare_variable(document: Document, problem: Problem) -> list[Edit]:
    """Declare a variable of the environment: in the first bind of the environment, or in a new one."""
    name = problem.replacement
    data = document.source.data
    if not is_variable(name) or "import" in str(data.get("binds")):
        return []
    binds = data.get("binds") or []
    for index, bind in enumerate(binds if isinstance(binds, list) else ()):
        keys = bind.get("keys") if isinstance(bind, dict) and not bind.get("location") else None
        if isinstance(keys, dict) and keys:
            return document.inserted(("binds", index, "keys"), [*keys], name, name)
    before = document.layout.entry(("capability",))
    if before is None or binds or "binds" in data or not document.layout.is_first_on_line(before.start):
        return []
    lines = ("binds:", "  - namespace: env", "    keys:", f"      {name}: {name}", "")
    return [Edit(before.start, before.start, document.line_break.join(lines))]


FIXES: Final[Mapping[str, tuple[str, FindEdits]]] = {
    "no-body": ("Declare that there is no body", _declare_no_body),
    "prose-style": ("Declare the style with 'x-explode: false'", _declare_style),
    "renamed-tool": ("Rename the tool", _rename),
    _VARIABLE: ("Declare the variable in 'binds'", _declare_variable),
    "unplaced-input": ("Write the placeholder into the path", _place_input),
}
"""The titles and the functions of fixes, by the codes of the problems that they remove."""


def edits_of(document: Document | None, problem: Problem) -> list[Edit]:
    """Return the edits that remove a problem of a document; none if no fix exists for it, or at its place."""
    if document is None or problem.code not in FIXES or not problem.warning or not problem.line:
        return []
    return FIXES[problem.code][1](document, problem)


def suggested_edits(document: Document | None, problem: Problem) -> tuple[str, list[Edit]]:
    """Return the title and the edits of a problem's suggestion, which people have to choose; none without one."""
    suggestion = suggestion_in(problem.message)
    if document is None or suggestion is None or not problem.line:
        return "", []
    place = place_at(document.layout, document.marks.position(problem.line, problem.column))
    wrong, right = suggestion
    if place is None or place.text.count(wrong) != 1:
        return "", []
    start = place.start + place.text.index(wrong)
    return f"Change to '{right}'", [Edit(start, start + len(wrong), right)]


def title_of(problem: Problem) -> str:
    """Return the title of a problem's fix; empty if there is none."""
    return FIXES[problem.code][0] if problem.code in FIXES else ""


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits, which do not overlap."""
    for edit in sorted(set(edits), key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def fixed_text(text: str, file: str, problems: Iterable[Problem]) -> tuple[str, int]:
    """Return a text without the problems of it that have a fix, and their number."""
    document = Document.read(text, file)
    found = [(problem, edits) for problem in problems if (edits := edits_of(document, problem))]
    variables = {problem.replacement: problem for problem, _ in found if problem.code == _VARIABLE}
    text = applied(text, [edit for problem, edits in found if problem.code != _VARIABLE for edit in edits])
    for problem in variables.values():
        # Each of them may find the bind that the one before has declared.
        text = applied(text, edits_of(Document.read(text, file), problem))
    return text, len(found)
