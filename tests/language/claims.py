"""Marks of tests that cover a field of the language at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FIXTURES = {"convert", "inspect", "serve"}
"""Fixtures that serve a document in both languages."""
MARK = "shows"


@dataclass(frozen=True)
class Claim:
    """A test that covers a field; `both_languages` if it serves its documents in both languages."""

    test: str
    both_languages: bool


def claims() -> dict[str, list[Claim]]:
    """Return the tests that claim each field, read from the marks `shows("Object", "field", ...)` of all test files.

    Read and not collected, so that it is the same list whichever tests run.
    """
    claims_by_field: dict[str, list[Claim]] = {}
    for path in sorted([*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/*/tests/test_*.py")]):
        for function in _tests(ast.parse(path.read_text())):
            claim = Claim(f"{path.relative_to(ROOT)}::{function.name}", _uses_both_languages(path, function))
            for name in _claimed_fields(function):
                claims_by_field.setdefault(name, []).append(claim)
    return claims_by_field


def _uses_both_languages(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return path.parent == HERE and not FIXTURES.isdisjoint(argument.arg for argument in function.args.args)


def _tests(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def _claimed_fields(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARK}":
            of, *fields = (ast.literal_eval(argument) for argument in decorator.args)
            yield from [f"{of}.{name}" for name in fields] or [of]
