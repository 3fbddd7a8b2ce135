"""Retries, circuit breakers, limits and deadlines: the key `x-resilience` of consumed APIs and operations."""

from .hooks import check_capability, consumer_wrapper, extension_keys, operation_wrapper

__all__ = ["check_capability", "consumer_wrapper", "extension_keys", "operation_wrapper"]
