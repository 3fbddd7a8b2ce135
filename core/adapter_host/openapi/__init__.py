"""Convert OpenAPI 2.0 (Swagger), 3.0, 3.1 and 3.2 documents to capabilities. Imports `document` and below."""

from .capability_writer import capability, write_capability
from .importer import read_api
from .pagination import suggestions
from .source.documents import Documents
from .source.fetch import Fetcher, origin_of
from .source.reading import is_url
from .source.warnings import WarningCollector

__all__ = [
    "Documents",
    "Fetcher",
    "WarningCollector",
    "capability",
    "is_url",
    "origin_of",
    "read_api",
    "suggestions",
    "write_capability",
]
