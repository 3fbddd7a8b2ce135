"""Version 1.0.0-beta5: what has a name stands in mappings, below its name."""

from .document import DOCUMENT, VERSION

__all__ = ["DOCUMENT", "VERSION"]
