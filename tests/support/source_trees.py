"""The parsed modules of the project, for tests of its source code."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def parsed(path: Path) -> ast.Module:
    """Return the tree of a module. Tests share it, so they do not change it."""
    return ast.parse(path.read_text(encoding="utf-8"))
