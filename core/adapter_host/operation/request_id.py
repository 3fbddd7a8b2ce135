"""Request ids, which link a response to its lines in the log."""

from __future__ import annotations

import re
import secrets
from typing import Final

MAX_LENGTH: Final = 128

_REQUEST_ID: Final = re.compile(rf"[A-Za-z0-9_.:+/=@-]{{1,{MAX_LENGTH}}}")


def new_request_id() -> str:
    """Return a random id, which links a response to its lines in the log."""
    return secrets.token_hex(8)


def is_request_id(text: str) -> bool:
    """Return whether an id of a client is used: 1 to 128 letters, digits and `_.:+/=@-`."""
    return _REQUEST_ID.fullmatch(text) is not None
