"""For the tests of plugins and of applications that embed the host. Imports the public names.

A consumed API in memory, a host on free ports, and the lists of all that an exposer and a consumer have to keep.
"""

from .consumer_contract import ConsumerContract, Example
from .contract import CallFailedError
from .exposer_contract import ExposerContract
from .fake import FakeConsumer, FakeExposer, FakePlugin, Hold
from .running import Running, running

__all__ = [
    "CallFailedError",
    "ConsumerContract",
    "Example",
    "ExposerContract",
    "FakeConsumer",
    "FakeExposer",
    "FakePlugin",
    "Hold",
    "Running",
    "running",
]
