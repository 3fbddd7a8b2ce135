"""Bounds of held results."""

from __future__ import annotations

from typing import Final

from adapter_host_mcp.budget_config import LONGEST_HELD as LONGEST_HELD

MOST_CALLER_RESULTS: Final = 16
"""Results that are held for one caller; all callers without authentication are one."""

MOST_CALLER_BYTES: Final = 16 * 1024 * 1024

MOST_RESULTS: Final = 256
"""Results that are held for all callers of an exposer."""

MOST_BYTES: Final = 48 * 1024 * 1024
