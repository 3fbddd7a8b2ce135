"""Control exposer: monitors and manages a host over HTTP (`type: control` under `exposes`)."""

from .hooks import (
    check_capability,
    consumer_wrapper,
    http_middlewares,
    operation_wrapper,
    reads_request_description,
    register_exposers,
    step_wrapper,
    upstream_headers,
)

__all__ = [
    "check_capability",
    "consumer_wrapper",
    "http_middlewares",
    "operation_wrapper",
    "reads_request_description",
    "register_exposers",
    "step_wrapper",
    "upstream_headers",
]

requires_api = "1.0"
