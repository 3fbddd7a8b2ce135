"""The key that signs the ids of sessions, and seals those of tasks."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Final

from adapter_host import BuildContext

from .config import McpConfig

KEY_VARIABLE: Final = "ADAPTER_HOST_MCP_KEY"
"""Environment variable with the secret that signs session ids; processes with the same secret share sessions."""

_MIN_KEY_LENGTH: Final = 32

_KEY_PURPOSE: Final = "mcp sessions"
"""The purpose of the key that is derived from that of the deployment."""


def session_key(config: McpConfig, context: BuildContext) -> bytes:
    """Return the key of an exposer, and report one that is too short, or that replicas do not share."""
    key = context.settings.environment.get(KEY_VARIABLE, "").encode()
    if key and len(key) < _MIN_KEY_LENGTH:
        message = f"the secret {KEY_VARIABLE} is too short; use {_MIN_KEY_LENGTH} characters or more"
        context.problem(message, config, code="weak-secret")
    if key or config.transport == "stdio" or not context.state.is_shared:
        return key or _random_key()
    sealer = context.sealer(_KEY_PURPOSE)
    if sealer is None:
        message = (
            "each replica has MCP sessions of its own: without a key, others do not know when one ends, nor cancel its "
            "calls; set ADAPTER_HOST_STATE_KEY to the same key for all replicas"
        )
        context.warn(message, config, code="own-sessions")
        return _random_key()
    return sealer.sign(b"session key")


@cache
def _random_key() -> bytes:
    # One per process, created before workers are forked, so that sessions survive reloads and work in every worker.
    return secrets.token_bytes(_MIN_KEY_LENGTH)
