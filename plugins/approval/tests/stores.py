"""A state store that several hosts share, with a clock that can be advanced, and that can be away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import adapter_host_approval
import adapter_host_audit
import adapter_host_resilience
from adapter_host import MemoryStateStore, Plugins, RegisterStateStore, StoreUnavailableError, hookimpl
from adapter_host.testing import FakePlugin

KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
ENVIRONMENT = {"ADAPTER_HOST_STATE_KEY": KEY}


class Shared:
    """The state of all stores with one number in their URLs; `away` lets them fail."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.away = False
        self.store = MemoryStateStore(clock=lambda: self.now)

    def plugins(self) -> Plugins:
        """Return plugins with a store of this state, for the URL `shared:`."""
        shared = self

        class SharedStore(MemoryStateStore):
            is_shared = True

            def __init__(self, url: str, environment: Mapping[str, str]) -> None:
                super().__init__()
                self.__dict__.update(shared.store.__dict__)

            async def get(self, key: str) -> bytes | None:
                shared.check()
                return await shared.store.get(key)

            async def compare_and_set(self, *arguments: Any, **options: Any) -> bool:
                shared.check()
                return await shared.store.compare_and_set(*arguments, **options)

            async def lease(self, *arguments: Any) -> bool:
                shared.check()
                return await shared.store.lease(*arguments)

            async def end_lease(self, *arguments: Any) -> None:
                await shared.store.end_lease(*arguments)

        class StorePlugin:
            @hookimpl
            def register_state_stores(self, register: RegisterStateStore) -> None:
                register("shared", SharedStore)

        plugins = {
            "approval": adapter_host_approval,
            "audit": adapter_host_audit,
            "fake": FakePlugin(),
            "resilience": adapter_host_resilience,
            "stores": StorePlugin(),
        }
        return Plugins(plugins)

    def check(self) -> None:
        """Raise `StoreUnavailableError` while the store is away."""
        if self.away:
            raise StoreUnavailableError("away")
