"""Exposer for lines over TCP: `type: echo` under `exposes`."""

from adapter_host import RegisterExposer, hookimpl

from .exposer import EchoExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the type `echo`."""
    register("echo", EchoExposer)
