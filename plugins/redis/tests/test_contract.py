"""The contract of state stores, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapter_host.testing import StateStoreContract

from .conftest import Server, Stores


class TestRedisStore(StateStoreContract):
    server: Server

    @pytest.fixture(autouse=True)
    def _use_server(self, shared_server: Server) -> None:
        self.server = shared_server

    @asynccontextmanager
    async def stores(self) -> AsyncIterator[Stores]:
        stores = Stores(self.server)
        await stores.clear()
        try:
            yield stores
        finally:
            await stores.stop()
