"""Idempotency keys: those of callers, whose calls are carried out once, and those of requests to APIs."""
