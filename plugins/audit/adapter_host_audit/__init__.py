"""An audit log: one record for each call that passed the access check, or was refused by it."""

from .hooks import (
    access_refused,
    call_wrapper,
    consumer_wrapper,
    host_services,
    host_starting,
    host_stopped,
    register_settings,
)

__all__ = [
    "access_refused",
    "call_wrapper",
    "consumer_wrapper",
    "host_services",
    "host_starting",
    "host_stopped",
    "register_settings",
]
