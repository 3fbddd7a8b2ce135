"""Bundle the schemas of a document: those that they refer to become part of its own `x-schemas`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from adapter_host.document.nodes import Loc, Node, node_at
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError

from .resolve import SCHEMAS, SchemaResolver
from .rewriting import Rewriter
from .targets import Scope, Target, keys_of


class SchemaBundle:
    """The schemas of one document; `schemas` are its `x-schemas`, and the schemas that these and `add` refer to.

    `files` are the imported documents by path.
    """

    def __init__(self, source: Source, files: Mapping[str, Source]) -> None:
        self.schemas: dict[str, Any] = {}
        self._source = source
        self._sources = {**files, source.file: source}
        self._resolver = SchemaResolver(source, files, _ignore)
        self._pending: list[Target] = []
        own = source.root.child(SCHEMAS)
        whole = Scope(source.root, source)
        # First, so that they keep their names.
        for name in () if own is None else keys_of(own):
            self._target(node_at(f"#/{SCHEMAS}/{_escape(name)}", own or source.root), whole)
        self._add_pending()

    def add(self, loc: Loc) -> Any:
        """Return the schema at `loc` with references to `schemas`."""
        node = self._source.nodes_to(loc)[-1]
        data = self._rewrite(node, Scope(node, self._sources.get(node.file, self._source)))
        self._add_pending()
        return data

    def _add_pending(self) -> None:
        while self._pending:
            target = self._pending.pop(0)
            if target.name not in self.schemas:
                self.schemas[target.name] = True
                self.schemas[target.name] = self._rewrite(target.node, target.scope)

    def _rewrite(self, node: Node, scope: Scope) -> Any:
        return _BundlingRewriter(partial(self._target, scope=scope)).rewrite(node)

    def _target(self, reference: Node, scope: Scope) -> Target:
        target = self._resolver.target(reference, scope)
        self._pending.append(target)
        return target


class _BundlingRewriter(Rewriter):
    """Rewrites references, and those in the mapping of a `discriminator`, to the `x-schemas` of the bundle."""

    def __init__(self, find: Callable[[Node], Target]) -> None:
        super().__init__(find, _ignore, refer=_reference_to)
        self._find_target = find

    def rewrite_entry(self, key: str, entry: Node) -> Any:
        mapping = entry.child("mapping") if key == "discriminator" else None
        if mapping is None:
            return super().rewrite_entry(key, entry)
        return {**entry.value, "mapping": {name: self._mapped(part) for name, part in keys_of(mapping).items()}}

    def _mapped(self, reference: Node) -> Any:
        try:
            return _reference_to(self._find_target(reference).name)["$ref"]
        except ProblemsError:
            # The name of a schema, in the place of a reference.
            return reference.value


def _reference_to(name: str) -> dict[str, Any]:
    return {"$ref": f"#/{SCHEMAS}/{_escape(name)}"}


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1").replace("%", "%25")


def _ignore(_: Problem) -> None:
    """Ignore a problem, as it was reported when the document was loaded."""
