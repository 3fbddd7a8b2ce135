"""Request ids, which join a response with its line in the log."""

from __future__ import annotations

import secrets


def new_request_id() -> str:
    """A random id that joins an answer with its line in the log."""
    return secrets.token_hex(8)
