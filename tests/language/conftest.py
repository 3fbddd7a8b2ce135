"""The languages in which each of these tests' documents is served."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from .served import Served, parsed, served

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve() -> Serve:
    """Serves a document."""

    def serving(document: Any, **options: Any) -> AbstractAsyncContextManager[Served]:
        return served(parsed(document), **options)

    return serving
