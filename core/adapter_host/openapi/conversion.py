"""Convert an OpenAPI document for plugins."""

from __future__ import annotations

from typing import Any

from .capability_writer import capability
from .importer import read_api
from .source.documents import Documents
from .source.warnings import WarningCollector


def capability_from_openapi(file: str) -> dict[str, Any]:
    """Return the capability, as data, that calls all operations of an OpenAPI document in a file and exposes them.

    Parts that a capability cannot express are left out. Raise `ProblemsError` for a document that cannot be read.
    """
    return capability(read_api(Documents(WarningCollector()).open(file)))
