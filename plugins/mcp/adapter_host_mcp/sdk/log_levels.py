"""Log levels of MCP."""

from __future__ import annotations

from typing import Final, get_args

import mcp_types as types

LEVELS: Final[tuple[str, ...]] = get_args(types.LoggingLevel)
"""Log levels, least severe first."""


def meets_log_level(level: str, threshold: str | None) -> bool:
    """Return True if `level` is at least `threshold`; always False without a threshold."""
    return level in LEVELS and threshold in LEVELS and LEVELS.index(level) >= LEVELS.index(threshold)
