"""The audit log fulfils the contract of wrappers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, Settings
from adapter_host.testing import FakePlugin, WrapperContract


class TestContract(WrapperContract):
    """The contract of wrappers."""

    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path) -> None:
        self.path = str(tmp_path / "audit.jsonl")

    def _build(self, document: Mapping[str, Any], **settings: Any) -> Host:
        plugins = self.plugins()
        plugins.register("fake", FakePlugin())
        audited = Settings(**self.host_settings, plugins={"audit": {"file": self.path}}, **settings)
        return Host(document, plugins=plugins, settings=audited)
