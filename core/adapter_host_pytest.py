"""Fixtures for the tests of plugins and of applications, found by pytest without an import.

It is apart from the package, whose import takes time that the tests of other projects need not spend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from adapter_host import Plugins


@pytest.fixture
def running() -> Callable[..., Any]:
    """Return the context manager `adapter_host.testing.running`, to be used as `async with`."""
    from adapter_host.testing import running

    return running


@pytest.fixture
def fake_plugins() -> Callable[..., Plugins]:
    """Return function that creates plugins for a host: `type: fake` and those passed by name, none of the installed."""
    from adapter_host import Plugins
    from adapter_host.testing import FakePlugin

    def plugins(**others: object) -> Plugins:
        return Plugins({"fake": FakePlugin(), **others})

    return plugins
