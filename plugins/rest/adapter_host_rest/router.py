"""Router: a trie over path segments, compiled once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import unquote

Target = TypeVar("Target")

# White space belongs to one part of the expression, so that matching is linear.
_NAME: Final = r"\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*"
_VARIABLE: Final = re.compile(rf"\{{\{{{_NAME}\}}\}}|\{{{_NAME}\}}")


@dataclass(frozen=True, slots=True)
class Segment:
    """One path segment: variables between literals; there is one literal more than variables."""

    literals: tuple[str, ...]
    variables: tuple[str, ...] = ()

    @property
    def is_variable(self) -> bool:
        """Return whether the segment is a single variable."""
        return self.literals == ("", "")

    def __str__(self) -> str:
        variables = [f"{{{name}}}" for name in self.variables]
        return "".join(map("".join, zip(self.literals, [*variables, ""], strict=True)))


def parse_path(path: str) -> tuple[Segment, ...]:
    """Parse a declared path; raises `ValueError`."""
    segments = tuple(_parse_segment(text) for text in path.removeprefix("/").split("/"))
    names = [name for segment in segments for name in segment.variables]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"duplicate variable '{name}'")
    return segments


def format_path(segments: Sequence[Segment]) -> str:
    """Return a declared path with its variables in single braces."""
    return "/" + "/".join(map(str, segments))


def _parse_segment(text: str) -> Segment:
    pieces = _VARIABLE.split(text)
    literals = tuple(unquote(piece) for piece in pieces[::3])
    variables = tuple(double or single for double, single in zip(pieces[1::3], pieces[2::3], strict=True))
    if any("{" in literal or "}" in literal for literal in literals):
        raise ValueError(f"unbalanced braces in '{text}'")
    if "" in literals[1:-1]:
        raise ValueError(f"adjacent variables in '{text}'; separate them with text")
    return Segment(literals, variables)


def split_path(raw: str) -> list[str]:
    """Return the decoded segments of a request's raw path; raises `ValueError` if it is not valid UTF-8 or has NUL."""
    segments = raw.split("/")[1:] or [""]
    if "%" in raw or not raw.isascii():
        segments = [_decode(segment) for segment in segments]
    return segments


def _decode(segment: str) -> str:
    # Raw bytes outside ASCII are surrogates here; this joins them with percent-encoded bytes.
    text = unquote(segment.encode("utf-8", "surrogateescape"), errors="strict")
    if "\0" in text:
        raise ValueError("a NUL character")
    return text


def match_segment(literals: Sequence[str], text: str) -> list[str] | None:
    """Return the values of the variables between `literals`, matched greedily from the left; None for no match."""
    first, last = literals[0], literals[-1]
    start, end = len(first), len(text) - len(last)
    if start >= end or not text.startswith(first) or not text.endswith(last):
        return None
    values: list[str] = []
    for literal in literals[-2:0:-1]:
        index = text.rfind(literal, start + 1, end - 1)
        if index < 0:
            return None
        values.append(text[index + len(literal) : end])
        end = index
    values.append(text[start:end])
    return values[::-1]


class _Node(Generic[Target]):
    __slots__ = ("literals", "patterns", "targets", "variable")

    def __init__(self) -> None:
        self.targets: dict[str, Target] = {}
        self.literals: dict[str, _Node[Target]] = {}
        self.patterns: list[tuple[tuple[str, ...], _Node[Target]]] = []
        self.variable: _Node[Target] | None = None

    def child_for(self, segment: Segment) -> _Node[Target]:
        if not segment.variables:
            return self.literals.setdefault(segment.literals[0], _Node())
        if segment.is_variable:
            self.variable = self.variable or _Node()
            return self.variable
        return self._pattern(segment.literals)

    def _pattern(self, literals: tuple[str, ...]) -> _Node[Target]:
        for existing, node in self.patterns:
            if existing == literals:
                return node
        added: _Node[Target] = _Node()
        self.patterns.append((literals, added))
        self.patterns.sort(key=lambda pattern: (-sum(map(len, pattern[0])), pattern[0]))
        return added


class Router(Generic[Target]):
    """Maps method and path to targets; literals take precedence over patterns, patterns over variables."""

    def __init__(self) -> None:
        self._root: _Node[Target] = _Node()

    def add(self, method: str, segments: Sequence[Segment], target: Target) -> Target:
        """Add a target unless its route is taken; return the target of the route."""
        node = self._root
        for segment in segments:
            node = node.child_for(segment)
        return node.targets.setdefault(method, target)

    def find(self, method: str, segments: Sequence[str]) -> tuple[Target, list[str]] | None:
        """Return the target and the values of its path variables, in order; None if no route matches."""
        values: list[str] = []
        target = _find(self._root, method, segments, 0, values)
        return None if target is None else (target, values)

    def targets(self, segments: Sequence[str]) -> dict[str, Target]:
        """Return the targets at a path, by method."""
        targets: dict[str, Target] = {}
        _collect(self._root, segments, 0, targets)
        return targets


def _find(node: _Node[Target], method: str, segments: Sequence[str], depth: int, values: list[str]) -> Target | None:
    if depth == len(segments):
        return node.targets.get(method)
    segment = segments[depth]
    child = node.literals.get(segment)
    if child is not None:
        target = _find(child, method, segments, depth + 1, values)
        if target is not None:
            return target
    count = len(values)
    for literals, child in node.patterns:
        matched = match_segment(literals, segment)
        if matched is not None:
            values += matched
            target = _find(child, method, segments, depth + 1, values)
            if target is not None:
                return target
            del values[count:]
    if node.variable is not None and segment:
        values.append(segment)
        target = _find(node.variable, method, segments, depth + 1, values)
        if target is not None:
            return target
        del values[count:]
    return None


def _collect(node: _Node[Target], segments: Sequence[str], depth: int, targets: dict[str, Target]) -> None:
    if depth == len(segments):
        targets.update((method, target) for method, target in node.targets.items() if method not in targets)
        return
    segment = segments[depth]
    if segment in node.literals:
        _collect(node.literals[segment], segments, depth + 1, targets)
    for literals, child in node.patterns:
        if match_segment(literals, segment) is not None:
            _collect(child, segments, depth + 1, targets)
    if node.variable is not None and segment:
        _collect(node.variable, segments, depth + 1, targets)
