"""For the tests of plugins and of applications that embed the host: a consumed API in memory, a host on free ports."""

from .fake import FakeConsumer, FakePlugin
from .running import Running, running

__all__ = ["FakeConsumer", "FakePlugin", "Running", "running"]
