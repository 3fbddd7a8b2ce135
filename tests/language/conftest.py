"""Serve the documents of these tests in both languages: as written, and converted to the later one."""

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
Convert = Callable[[Any], Any]


@pytest.fixture(params=["alpha2", "beta5"])
def convert(request: pytest.FixtureRequest) -> Convert:
    """Return a function that converts a document to the language; later documents stay as they are."""

    def convert_document(document: Any) -> Any:
        data = parsed(document)
        return as_beta5(data) if request.param == "beta5" and "ikanos" not in data else data

    return convert_document


@pytest.fixture
def serve(convert: Convert) -> Serve:
    """Return a function that serves a document and the documents (`files`) beside it."""

    def serve_converted(
        document: Any, *, files: Mapping[str, Any] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[Served]:
        others = {name: convert(other) for name, other in (files or {}).items()}
        return served(convert(document), files=others, **options)

    return serve_converted


@pytest.fixture
def inspect(convert: Convert, tmp_path: Path) -> Inspect:
    """Return the output of `adapter-host inspect` for a document."""
    return lambda document: inspected(convert(document), tmp_path)
