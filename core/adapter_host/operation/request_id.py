"""Request ids, which link a response to its line in the log."""

from __future__ import annotations

import secrets


def new_request_id() -> str:
    """Return a random id, which links a response to its line in the log."""
    return secrets.token_hex(8)
