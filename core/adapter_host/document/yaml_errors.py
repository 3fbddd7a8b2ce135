"""Messages for YAML syntax errors, at the position to fix."""

from typing import NamedTuple

import yaml

from adapter_host.errors import Problem

from .nodes import MAX_DEPTH


class _Rule(NamedTuple):
    """PyYAML's `context` and `problem`, and our message, at the error or at the start of its context."""

    context: str
    problem: str
    message: str
    at_start: bool = False


_RULES = (
    _Rule(
        "",
        "mapping values are not allowed",
        "':' is not allowed here; fix the indentation, or quote the value",
    ),
    _Rule("", "mapping keys are not allowed", "'?' is not allowed here; quote a value that begins with '? '"),
    _Rule("", "sequence entries are not allowed", "'-' is not allowed here; a list begins on its own line"),
    _Rule("", "could not find expected ':'", "missing ':' after this key", at_start=True),
    _Rule("flow sequence", "',' or ']'", "',' or ']' expected; the '[' at {start} is still open"),
    _Rule("flow mapping", "',' or '}'", "',' or '}}' expected; the '{{' at {start} is still open"),
    _Rule(
        "block mapping",
        "expected",
        "not a key of the mapping that starts at {start}; fix the indentation or quote it",
    ),
    _Rule("block collection", "expected", "'-' expected for the list that starts at {start}; fix the indentation"),
    _Rule("node", "undefined tag handle", "unknown tag; quote a value that begins with '!'"),
    _Rule("node", "node content", "a value is expected here"),
    _Rule("scalar", "unexpected end of stream", "this quote is never closed", at_start=True),
    _Rule("scalar", "unexpected document", "this quote is not closed before the document ends", at_start=True),
    _Rule("scalar", "invalid Unicode", "this escape is not a Unicode character"),
    _Rule("scalar", "hex", "this escape needs hexadecimal digits"),
    _Rule("scalar", "escape", "unknown escape; write '\\\\' for a backslash, or use single quotes"),
    _Rule("block scalar", "", "after '|' or '>' only '+', '-' and an indentation of 1 to 9 are allowed"),
    _Rule("anchor", "", "'&' needs a name; quote a value that begins with '&'"),
    _Rule("alias", "", "'*' needs a name; quote a value that begins with '*'"),
    _Rule("tag", "", "malformed tag; quote a value that begins with '!'"),
    _Rule("", "incompatible YAML", "unsupported YAML version; use 1.2"),
    _Rule("", "directive", "malformed directive; only a directive begins with '%'"),
    _Rule("directive", "", "malformed directive; only a directive begins with '%'"),
    _Rule("", "<document start>", "text after the end of the document"),
)


def is_too_deep(error: yaml.MarkedYAMLError) -> bool:
    """Return True for libyaml's own limit, which is higher than ours, but is checked ahead of the events it returns."""
    return "maximum nesting depth" in (error.problem or "")


def syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """Return the problem for a PyYAML error."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem("not valid YAML", file, code="syntax")
    mark = error.problem_mark
    character = text[mark.index : mark.index + 1]
    if character == "\t":
        return _problem("a tab cannot indent or separate here; use spaces", file, mark, "tab")
    if is_too_deep(error):
        return _problem(f"nested more than {MAX_DEPTH} levels deep", file, mark, "too-deep")
    if "cannot start any token" in (error.problem or ""):
        return _problem(f"{character!r} cannot begin a value; quote the value", file, mark)
    return _apply_rules(error, mark, file)


def _apply_rules(error: yaml.MarkedYAMLError, mark: yaml.Mark, file: str) -> Problem:
    problem, context = error.problem or "", error.context or ""
    for rule in _RULES:
        if rule.context in context and rule.problem in problem:
            start = error.context_mark or mark
            message = rule.message.format(start=f"{start.line + 1}:{start.column + 1}")
            return _problem(message, file, start if rule.at_start else mark)
    return _problem(f"not valid YAML: {problem}", file, mark)


def _problem(message: str, file: str, mark: yaml.Mark, code: str = "syntax") -> Problem:
    return Problem(message, file, mark.line + 1, mark.column + 1, code)
