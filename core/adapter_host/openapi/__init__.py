"""Convert OpenAPI 2.0 (Swagger), 3.0, 3.1 and 3.2 documents to capabilities. Imports `document` and below."""

from .capability_writer import capability, write_capability
from .documents import Documents
from .importer import read_api
from .reading import is_url
from .warnings import WarningCollector

__all__ = ["Documents", "WarningCollector", "capability", "is_url", "read_api", "write_capability"]
