"""Python syntax: finds forbidden names and imports, and where to insert counters."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import Final

from .files import Source
from .instrumentation import COUNT_FUNCTION, Insertion, insert
from .language import InvalidScriptError

ALLOWED_MODULES: Final = frozenset(
    {
        "base64",
        "bisect",
        "collections",
        "copy",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "functools",
        "hashlib",
        "itertools",
        "json",
        "math",
        "random",
        "re",
        "typing",
        "unicodedata",
    }
)
"""Modules that scripts may import; none of them has access to the system."""

_FORBIDDEN_NAMES: Final = frozenset(
    {"__builtins__", "__import__", "compile", "dir", "eval", "exec", "globals", "input", "locals", "open", "vars"}
)
_UNCOUNTED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Global, ast.Nonlocal)
_COMPOUND: Final = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Match, ast.Try, ast.TryStar)


def instrument(source: Source) -> str:
    """Return the script with statement counters; raises `InvalidScriptError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
    except SyntaxError as error:
        message = f"invalid Python: {error.msg}"
        raise InvalidScriptError(source, message, error.lineno or 1, error.offset or 1) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise InvalidScriptError(source, f"invalid Python: {error}") from None
    for node in ast.walk(tree):
        _check_node(source, node)
    return insert(source.text.encode(), _insertions(tree, _line_starts(source.text)))


def _check_node(source: Source, node: ast.AST) -> None:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        modules = ["." * node.level + (node.module or "")]
    elif isinstance(node, ast.Name) and node.id in _FORBIDDEN_NAMES:
        message = f"'{node.id}' is not available in scripts"
        raise InvalidScriptError(source, message, node.lineno, node.col_offset + 1)
    else:
        return
    for module in modules:
        if module.partition(".")[0] not in ALLOWED_MODULES:
            message = f"module '{module}' cannot be imported (available: {', '.join(sorted(ALLOWED_MODULES))})"
            raise InvalidScriptError(source, message, node.lineno, node.col_offset + 1)


def _line_starts(text: str) -> list[int]:
    """Return the byte offset of each line."""
    line_starts = [0]
    for line in text.split("\n"):
        line_starts.append(line_starts[-1] + len(line.encode()) + 1)
    return line_starts


def _insertions(tree: ast.Module, line_starts: list[int]) -> Iterator[Insertion]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            continue
        for statement in _statements(node):
            if isinstance(statement, _COMPOUND):
                for condition in _conditions(statement):
                    yield from _wrap_expression(condition, line_starts)
            elif not isinstance(statement, _UNCOUNTED):
                yield line_starts[statement.lineno - 1] + statement.col_offset, 1, f"{COUNT_FUNCTION}();".encode()


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    for field in ("body", "orelse", "finalbody"):
        statements = getattr(node, field, None)
        if isinstance(statements, list):
            yield from statements


def _conditions(statement: ast.stmt) -> list[ast.expr]:
    """Return the first expression of a compound statement, which is wrapped as nothing can be inserted before it."""
    if isinstance(statement, ast.For | ast.AsyncFor):
        return [statement.iter]
    if isinstance(statement, ast.While | ast.If):
        return [statement.test]
    if isinstance(statement, ast.With | ast.AsyncWith):
        return [statement.items[0].context_expr]
    return [statement.subject] if isinstance(statement, ast.Match) else []


def _wrap_expression(node: ast.expr, line_starts: list[int]) -> Iterator[Insertion]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    yield line_starts[node.lineno - 1] + node.col_offset, 2, f"{COUNT_FUNCTION}((".encode()
    yield line_starts[node.end_lineno - 1] + node.end_col_offset, 0, b"))"
