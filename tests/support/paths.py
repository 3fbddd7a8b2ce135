"""Folders that tests read from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout."""

SHARED: Final = ROOT.parent / "shared"
"""Published material beside the checkout, which may be missing."""
