"""REST exposer: `type: rest` under `exposes`."""

from adapter_host import RegisterExposer, hookimpl

from .exposer import RestExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the type `rest`."""
    register("rest", RestExposer)
