"""Version 1.0.0-beta5: named entries are mappings from names."""

from .document import DOCUMENT, VERSION

__all__ = ["DOCUMENT", "VERSION"]
