"""Which tests say that they show a field of the language at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "shows"


def claims() -> dict[str, list[str]]:
    """The tests that claim each field, read from the marks `shows("Object", "field", ...)` of all test files.

    Read and not collected, so that it is the same list whichever tests run.
    """
    found: dict[str, list[str]] = {}
    for path in sorted([*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/*/tests/test_*.py")]):
        for function in _tests(ast.parse(path.read_text())):
            for name in _claimed(function):
                found.setdefault(name, []).append(f"{path.relative_to(ROOT)}::{function.name}")
    return found


def _tests(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def _claimed(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARK}":
            of, *fields = (ast.literal_eval(argument) for argument in decorator.args)
            yield from [f"{of}.{name}" for name in fields] or [of]
