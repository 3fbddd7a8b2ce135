"""A state store in Redis or Valkey, which replicas share (`--state redis://HOST`)."""

from adapter_host import RegisterStateStore, hookimpl

from .store import RedisStateStore

__all__ = ["RedisStateStore", "register_state_stores"]


@hookimpl
def register_state_stores(register: RegisterStateStore) -> None:
    """Register the schemes of Redis and Valkey, plain and over TLS."""
    for scheme in ("redis", "rediss", "valkey", "valkeys"):
        register(scheme, RedisStateStore)
