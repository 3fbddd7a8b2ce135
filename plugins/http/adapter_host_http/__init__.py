"""Consume HTTP APIs: the type `http` of `consumes`."""

from adapter_host import RegisterConsumer, hookimpl

from .consumer import HttpConsumer

__all__ = ["HttpConsumer", "register_consumers"]

requires_api = "1.0"


@hookimpl
def register_consumers(register: RegisterConsumer) -> None:
    """Register the consumer of HTTP APIs."""
    register("http", HttpConsumer)
