"""A shop that is served with a console, as a process, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import launch
from tests.support.console import SHOP, Served, serve


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("shop"), SHOP)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from launch()
