"""Resolve the references of the schemas in a document: into its `x-schemas`, into the schema itself, into files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from adapter_host.document.messages import describe_type
from adapter_host.document.nodes import Loc, MappingNode, Node
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError

from .keywords import DROPPED
from .references import DEFS
from .rewriting import Rewriter, Rewritten, find_mistakes
from .schema import Schema
from .targets import Scope, Target, child_at, keys_of, problem_at, walk_nodes
from .validator_pool import ValidatorPool
from .visibility import Hidden, Hiding

SCHEMAS: Final = "x-schemas"
"""The key of a document with schemas by name."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, slots=True)
class _Bundle:
    """A schema, and the names of the schemas that it needs."""

    root: Any
    names: tuple[str, ...]
    problems: tuple[Problem, ...]


def resolve_schema(data: Any, *, hidden: Hidden = "readOnly") -> Schema:
    """Return the schema in plain data, of a document of its own; raise `ProblemsError`."""
    problems: list[Problem] = []
    source = Source.from_data({"x-schema": data})
    schema = SchemaResolver(source, {}, problems.append).resolve(("x-schema",), hidden)
    if schema is None:
        raise ProblemsError(problems)
    return schema


class SchemaResolver:
    """Resolves the schemas of one document, and names those that they refer to.

    `files` are the imported documents by path. `report` receives the problems, `note_file` each file that is read. The
    names of all schemas that are referred to begin with `prefix`. Without `reads_files`, references lead to no file.
    """

    def __init__(
        self,
        source: Source,
        files: Mapping[str, Source],
        report: Callable[[Problem], object],
        note_file: Callable[[str], object] = lambda _: None,
        *,
        prefix: str = "",
        reads_files: bool = True,
    ) -> None:
        self._source = source
        self._sources = {**files, source.file: source}
        self._report = report
        self._note_file = note_file
        self._prefix = prefix
        self._reads_files = reads_files
        # A schema that many refer to is rewritten once.
        self._targets: dict[int, Target] = {}
        self._names: set[str] = set()
        self._rewritten: dict[tuple[int, int], Rewritten] = {}
        self._bundles: dict[tuple[int, int], _Bundle] = {}
        self._schemas: dict[tuple[int, int, Hidden], Schema] = {}
        self._defs: dict[str, Any] = {}
        directions: tuple[Hidden, Hidden] = ("readOnly", "writeOnly")
        # By direction, as definitions of one name differ.
        self.validators = {hidden: ValidatorPool() for hidden in directions}
        self._hiding = {
            (keyword, drop): Hiding(self._defs, keyword, drop=drop) for keyword in directions for drop in (True, False)
        }

    def resolve(self, loc: Loc, hidden: Hidden, *, base: Loc | None = None) -> Schema | None:
        """Return the schema at `loc`, without the hidden properties; None when a problem is reported.

        `base` is the location of the schema that it is a part of, which its local references are relative to.
        """
        node = self._source.nodes_to(loc)[-1]
        root = node if base is None else self._source.nodes_to(base)[-1]
        scope = Scope(root, self._sources.get(node.file, self._source))
        try:
            node, scope = self._follow(node, scope)
            problems = self._bundle(node, scope).problems
        except ProblemsError as error:
            problems = error.problems
        for problem in problems:
            self._report(problem)
        return None if problems else self._visible_schema(node, scope, hidden)

    def _bundle(self, node: Node, scope: Scope) -> _Bundle:
        """Return a schema with the names of all schemas that it refers to, directly or not."""
        key = (id(node), id(scope.base))
        if key in self._bundles:
            return self._bundles[key]
        root = self._rewrite(node, scope)
        reached: dict[str, Rewritten] = {}
        pending = list(root.targets)
        while pending:
            target = pending.pop()
            if target.name not in reached:
                rewritten = reached[target.name] = self._rewrite(target.node, target.scope)
                self._defs[target.name] = rewritten.data
                pending += rewritten.targets
        problems = [*root.problems, *(problem for each in reached.values() for problem in each.problems)]
        bundle = self._bundles[key] = _Bundle(root.data, tuple(sorted(reached)), tuple(problems))
        return bundle

    def _rewrite(self, node: Node, scope: Scope) -> Rewritten:
        key = (id(node), id(scope.base))
        if key not in self._rewritten:
            rewriter = Rewriter(partial(self.target, scope=scope), self._report)
            data = rewriter.rewrite(node)
            problems = rewriter.problems or list(find_mistakes(data, node))
            self._rewritten[key] = Rewritten(data, tuple(rewriter.targets), tuple(problems))
        return self._rewritten[key]

    def _visible_schema(self, node: Node, scope: Scope, hidden: Hidden) -> Schema:
        key = (id(node), id(scope.base), hidden)
        if key not in self._schemas:
            bundle = self._bundle(node, scope)
            root = {"not": {}} if bundle.root is False else {} if bundle.root is True else bundle.root
            data, checked = (self._visible(root, bundle.names, self._hiding[hidden, drop]) for drop in (True, False))
            target = self._targets.get(id(node))
            name = None if target is None else target.name
            self._schemas[key] = Schema(data, checked, name=name, pool=self.validators[hidden])
        return self._schemas[key]

    @staticmethod
    def _visible(root: Any, names: Sequence[str], hiding: Hiding) -> dict[str, Any]:
        data: dict[str, Any] = hiding.schema(root)
        return {**data, DEFS: {name: hiding.definition(name) for name in names}} if names else data

    def _follow(self, node: Node, scope: Scope) -> tuple[Node, Scope]:
        """Return what a schema that is only a reference refers to."""
        seen = set()
        while isinstance(node, MappingNode) and set(node.entries) <= {"$ref", *DROPPED} and "$ref" in node.entries:
            if id(node) in seen:
                raise problem_at("the reference leads back to itself; refer to a schema", node.entries["$ref"])
            seen.add(id(node))
            target = self.target(node.entries["$ref"], scope)
            node, scope = target.node, target.scope
        return node, scope

    def target(self, reference: Node, scope: Scope) -> Target:
        """Return the schema that a reference names, with its one name in the document; raise `ProblemsError`."""
        found = self._find(reference, scope)
        target = self._targets.get(id(found.node))
        if target is None:
            target = self._targets[id(found.node)] = replace(found, name=self._unique(found.name))
        return target

    def _unique(self, text: str) -> str:
        name = stem = self._prefix + (_UNSAFE.sub("_", text)[:50] or "schema")
        number = 2
        while name in self._names:
            name, number = f"{stem}_{number}", number + 1
        self._names.add(name)
        return name

    def _find(self, reference: Node, scope: Scope) -> Target:
        """Return the schema that a reference names; raise `ProblemsError`."""
        if not isinstance(reference.value, str):
            raise problem_at(f"'$ref' must be text, not {describe_type(reference.value)}", reference)
        file, _, fragment = reference.value.partition("#")
        if file:
            source = self._read(file, reference)
            scope = Scope(source.root, source, Path(file).stem)
        keys = self._keys(fragment, reference, scope)
        if keys[:1] == [SCHEMAS] and (file or SCHEMAS not in keys_of(scope.base)):
            return self._named_schema(keys, reference, scope.source)
        return Target(child_at(scope.base, keys, reference), scope, keys[-1] if keys else scope.name)

    def _named_schema(self, keys: list[str], reference: Node, source: Source) -> Target:
        schemas = source.root.child(SCHEMAS)
        if schemas is None:
            message = f"'{reference.value}' refers to '{SCHEMAS}', which '{source.file}' does not have; add it"
            raise problem_at(message, reference)
        base = child_at(source.root, keys[:2], reference)
        return Target(child_at(base, keys[2:], reference), Scope(base, source, keys[-1]), keys[-1])

    @staticmethod
    def _keys(fragment: str, reference: Node, scope: Scope) -> list[str]:
        text = unquote(fragment)
        if not text:
            return []
        if text.startswith("/"):
            return [key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/")]
        for keys, node in walk_nodes(scope.base):
            if isinstance(node, MappingNode) and node.value.get("$anchor") == text:
                return [str(key) for key in keys]
        raise problem_at(f"'{reference.value}' refers to an '$anchor' that the schema does not have", reference)

    def _read(self, file: str, reference: Node) -> Source:
        if not self._reads_files:
            raise problem_at(f"'{file}' is not read: the schema may refer to its own parts only", reference)
        if _ABSOLUTE.match(file):
            message = f"'{file}' is not read: a reference names a schema of the document, or a file beside it"
            raise problem_at(message, reference)
        folder = Path(self._source.file).parent.resolve()
        path = Path(reference.file).parent / file
        if not path.resolve().is_relative_to(folder):
            message = f"'{file}' is outside of the document's folder; move it there"
            raise problem_at(message, reference)
        name = str(path)
        if name not in self._sources:
            try:
                self._sources[name] = Source.read(path)
            except ProblemsError as error:
                if any(problem.line for problem in error.problems):
                    raise
                reasons = "; ".join(problem.message for problem in error.problems)
                raise problem_at(f"cannot read '{file}': {reasons}", reference) from error
            self._note_file(name)
        return self._sources[name]
