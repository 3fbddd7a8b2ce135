"""Rewrite the nodes of a schema to plain data with references to `$defs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adapter_host.document.messages import describe_type
from adapter_host.document.nodes import MappingNode, Node, SequenceNode
from adapter_host.errors import Problem, ProblemsError
from adapter_host.expressions.pattern import PatternError, compile_pattern

from .keywords import BY_NAME, DROPPED, LISTS, SINGLE
from .references import reference_to
from .targets import Target, keys_of, problem_at


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A schema whose references are to `$defs`, and their targets."""

    data: Any
    targets: tuple[Target, ...]
    problems: tuple[Problem, ...]


class Rewriter:
    """Rewrites one schema: `targets` are those that its references lead to.

    `find` returns the target of a reference, and `refer` a reference to its name; `report` receives the warnings.
    """

    def __init__(
        self,
        find: Callable[[Node], Target],
        report: Callable[[Problem], object],
        *,
        refer: Callable[[str], dict[str, Any]] = reference_to,
    ) -> None:
        self.targets: list[Target] = []
        self.problems: list[Problem] = []
        self._find = find
        self._report = report
        self._refer = refer

    def rewrite(self, node: Node) -> Any:
        """Return the plain data of a schema with its references to `$defs`."""
        if isinstance(node.value, bool):
            return node.value
        if not isinstance(node, MappingNode):
            message = f"a schema must be a mapping, true or false, not {describe_type(node.value)}"
            self.problems += problem_at(message, node).problems
            return {}
        data: dict[str, Any] = {}
        for key, entry in node.entries.items():
            if key == "$ref":
                data |= self._reference(entry)
            elif key in ("$dynamicRef", "$recursiveRef"):
                self.problems += problem_at(f"'{key}' is not supported; use '$ref'", entry).problems
            elif key not in DROPPED:
                self._check_patterns(key, entry)
                data[key] = self.rewrite_entry(key, entry)
        return data

    def _check_patterns(self, key: str, entry: Node) -> None:
        patterns = [entry.value] if key == "pattern" else keys_of(entry) if key == "patternProperties" else ()
        for pattern in patterns:
            try:
                compile_pattern(str(pattern))
            except PatternError as error:
                position = entry.key_position(pattern) or entry.position
                message = f"{error}; values are not checked against it"
                self._report(Problem(message, *position, code="schema-pattern", warning=True))

    def rewrite_entry(self, key: str, entry: Node) -> Any:
        """Return the plain data of a keyword's value."""
        if key in SINGLE:
            return self.rewrite(entry)
        if key in BY_NAME and isinstance(entry, MappingNode):
            return {name: self.rewrite(part) for name, part in entry.entries.items()}
        if key in LISTS and isinstance(entry, SequenceNode):
            return [self.rewrite(part) for part in entry.items]
        return entry.value

    def _reference(self, reference: Node) -> dict[str, Any]:
        try:
            target = self._find(reference)
        except ProblemsError as error:
            self.problems += error.problems
            return {}
        self.targets.append(target)
        return self._refer(target.name)


def find_mistakes(data: Any, node: Node) -> Iterator[Problem]:
    """Yield a problem for each place of a schema that is not JSON Schema."""
    # Imported late: documents without schemas need no validator.
    from .validator import schema_mistakes

    for keys, message in schema_mistakes(data):
        place = node
        for key in keys:
            place = place.child(key) or place
        yield problem_at(message, place).problems[0]
