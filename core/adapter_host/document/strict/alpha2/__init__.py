"""Version 1.0.0-alpha2: what has a name stands in lists."""

from .document import DOCUMENT, VERSION

__all__ = ["DOCUMENT", "VERSION"]
