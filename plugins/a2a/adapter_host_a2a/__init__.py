"""A2A exposer: operations as the skills of an agent (`type: a2a` under `exposes`)."""

from adapter_host import RegisterExposer, hookimpl

from .exposer import A2aExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the type `a2a`."""
    register("a2a", A2aExposer)
