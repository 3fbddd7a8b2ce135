"""Capabilities made from OpenAPI documents: versions 2.0 (Swagger), 3.0 and 3.1."""

from .documents import Documents
from .notes import Notes
from .reading import read_api
from .writing import write_capability

__all__ = ["Documents", "Notes", "read_api", "write_capability"]
