"""Test kit for plugins and for applications that embed the host. Imports the public names.

It has a consumed API in memory, a host on free ports, and the contract tests of exposers and consumers.
"""

from .bind_contract import BindSourceContract
from .consumer_contract import ConsumerContract, Example
from .contract import CallFailedError
from .exposer_contract import ExposerContract
from .fake import FakeConfig, FakeConsumer, FakeExposer, FakeExposerConfig, FakeOperationSpec, FakePlugin, Hold
from .http_exposer_contract import HttpExposerContract
from .running import Running, running
from .state_contract import StateStoreContract, StoreUnderTest
from .step_contract import StepExample, StepTypeContract
from .wrapper_contract import WrapperContract

__all__ = [
    "BindSourceContract",
    "CallFailedError",
    "ConsumerContract",
    "Example",
    "ExposerContract",
    "FakeConfig",
    "FakeConsumer",
    "FakeExposer",
    "FakeExposerConfig",
    "FakeOperationSpec",
    "FakePlugin",
    "Hold",
    "HttpExposerContract",
    "Running",
    "StateStoreContract",
    "StepExample",
    "StepTypeContract",
    "StoreUnderTest",
    "WrapperContract",
    "running",
]
