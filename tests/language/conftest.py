"""Serves each of these tests' documents in both languages: as it is written, and converted to the later one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from .conversion import as_beta5
from .served import Served, inspected, parsed, served

Serve = Callable[..., AbstractAsyncContextManager[Served]]
Inspect = Callable[[Any], Any]
Say = Callable[[Any], Any]


@pytest.fixture(params=["alpha2", "beta5"])
def say(request: pytest.FixtureRequest) -> Say:
    """Says a document in a language; one that is written in the later language stays so."""

    def said(document: Any) -> Any:
        data = parsed(document)
        return as_beta5(data) if request.param == "beta5" and "ikanos" not in data else data

    return said


@pytest.fixture
def serve(say: Say) -> Serve:
    """Return a function that serves a document and the documents (`files`) beside it."""

    def serving(
        document: Any, *, files: Mapping[str, Any] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[Served]:
        others = {name: say(other) for name, other in (files or {}).items()}
        return served(say(document), files=others, **options)

    return serving


@pytest.fixture
def inspect(say: Say, tmp_path: Path) -> Inspect:
    """Return the output of `adapter-host inspect` for a document."""
    return lambda document: inspected(say(document), tmp_path)
