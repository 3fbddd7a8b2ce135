"""How many examples the property tests try."""

from __future__ import annotations

import os
from typing import Final

_FACTOR: Final = float(os.environ.get("ADAPTER_HOST_EXAMPLES", "1"))


def examples(count: int) -> int:
    """Return the number of examples of a test that tries `count` by default; `EXAMPLES` is a factor."""
    return max(1, round(count * _FACTOR))
