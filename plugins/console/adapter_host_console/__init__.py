"""A console in the browser: what a host serves, trying it, and its calls as they happen."""

from .hooks import (
    consumer_wrapper,
    host_started,
    host_stopped,
    operation_wrapper,
    record_calls,
    register_settings,
    step_wrapper,
)

__all__ = [
    "consumer_wrapper",
    "host_started",
    "host_stopped",
    "operation_wrapper",
    "record_calls",
    "register_settings",
    "step_wrapper",
]
