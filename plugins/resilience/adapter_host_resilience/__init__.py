"""Retries, circuit breakers, limits, deadlines and idempotency: the key `x-resilience`."""

from .hooks import check_capability, consumer_wrapper, extension_keys, operation_wrapper, upstream_headers

__all__ = ["check_capability", "consumer_wrapper", "extension_keys", "operation_wrapper", "upstream_headers"]
