"""Matches variables of exposed paths with inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapter_host import Input, Operation, normalize_name

from .router import Segment, parse_path


def match_input(variable: str, inputs: Sequence[Input]) -> Input | None:
    """Return the input with the variable's name, or else with the same normalized name."""
    for candidate in inputs:
        if candidate.in_ == "path" and candidate.request_name == variable:
            return candidate
    for candidate in inputs:
        if candidate.name == variable and not candidate.whole:
            return candidate
    same = [c for c in inputs if normalize_name(c.name) == normalize_name(variable) and not c.whole]
    return min(same, key=lambda c: c.in_ != "path", default=None)


def expand_patterns(segments: Sequence[Segment], operation: Operation) -> tuple[Segment, ...]:
    """Expand variables that join several inputs to the pattern of the consumed path.

    For example, `{sha-difftype}` becomes `{sha}.{diffType}` if the consumed path contains that pattern.
    """
    patterns = {normalize_name("".join(p.variables)): p for p in _consumed_patterns(operation)}
    return tuple(_expand_segment(segment, operation.inputs, patterns) for segment in segments)


def _consumed_patterns(operation: Operation) -> Iterator[Segment]:
    for consumed in operation.upstream:
        try:
            segments = parse_path((consumed.path or "").partition("?")[0])
        except ValueError:  # a path of another protocol
            continue
        for segment in segments:
            names = segment.variables
            if len(names) > 1 and all(match_input(name, operation.inputs) for name in names):
                yield segment


def _expand_segment(segment: Segment, inputs: Sequence[Input], patterns: dict[str, Segment]) -> Segment:
    literals, variables = [segment.literals[0]], list[str]()
    for name, literal in zip(segment.variables, segment.literals[1:], strict=True):
        pattern = None if match_input(name, inputs) else patterns.get(normalize_name(name))
        if pattern is None:
            variables.append(name)
            literals.append(literal)
            continue
        variables += pattern.variables
        literals[-1] += pattern.literals[0]
        literals += pattern.literals[1:]
        literals[-1] += literal
    return Segment(tuple(literals), tuple(variables))
