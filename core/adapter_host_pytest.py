"""Pytest fixtures for tests of plugins and applications.

The module is outside the package because pytest imports it in every project, and the package is slow to import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from adapter_host import Plugins


@pytest.fixture
def running() -> Callable[..., Any]:
    """Return `adapter_host.testing.running`, an async context manager."""
    from adapter_host.testing import running

    return running


@pytest.fixture
def fake_plugins() -> Callable[..., Plugins]:
    """Return a function that creates plugins for a host: `type: fake` and those passed by name."""
    from adapter_host import Plugins
    from adapter_host.testing import FakePlugin

    def plugins(**others: object) -> Plugins:
        return Plugins({"fake": FakePlugin(), **others})

    return plugins
