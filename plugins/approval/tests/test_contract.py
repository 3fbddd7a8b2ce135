"""Calls that need no approval are as without the plugin."""

from __future__ import annotations

from types import MappingProxyType

from adapter_host.testing import WrapperContract


class TestContract(WrapperContract):
    """The contract of wrappers, for calls for which no condition holds."""

    operation_keys = MappingProxyType({"x-approval": {"when": [{"argument": "id", "equals": [-1]}]}})
