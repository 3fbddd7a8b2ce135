"""Test kit for plugins and for applications that embed the host. Imports the public names.

It has a consumed API in memory, a host on free ports, and the contract tests of exposers and consumers.
"""

from .consumer_contract import ConsumerContract, Example
from .contract import CallFailedError
from .exposer_contract import ExposerContract
from .fake import FakeConfig, FakeConsumer, FakeExposer, FakeOperationSpec, FakePlugin, Hold
from .running import Running, running

__all__ = [
    "CallFailedError",
    "ConsumerContract",
    "Example",
    "ExposerContract",
    "FakeConfig",
    "FakeConsumer",
    "FakeExposer",
    "FakeOperationSpec",
    "FakePlugin",
    "Hold",
    "Running",
    "running",
]
