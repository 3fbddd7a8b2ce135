"""Version 1.0.0-alpha2: named entries are lists."""

from .document import DOCUMENT, VERSION

__all__ = ["DOCUMENT", "VERSION"]
