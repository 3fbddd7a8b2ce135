"""Versions of the language: normalize a document of any version to one shape."""

from adapter_host.document.source import Source
from adapter_host.errors import Problem

from .rewriting import RewriteContext
from .shapes import is_import, rewrite_document
from .versions import CANONICAL_VERSION, FLOWS_VERSION, KNOWN_VERSIONS, read_dialect, read_version, version_key

__all__ = [
    "CANONICAL_VERSION",
    "KNOWN_VERSIONS",
    "import_file_key",
    "is_import",
    "normalize",
    "read_version",
    "version_key",
]

_LATER_TERMS = {
    "function": "flow",
    "functions": "flows",
    "label": "display",
    "targetName": "target",
}
"""Names in messages that the later language renamed."""


def normalize(source: Source) -> list[Problem]:
    """Rewrite a document of any version to the shape of 1.0.0-alpha2; nodes keep their positions."""
    dialect = read_dialect(source.data)
    context = RewriteContext(source.root, dialect)
    source.root = rewrite_document(source.root, context)
    source.terms = _LATER_TERMS if dialect.is_at_least(FLOWS_VERSION) else {}
    return context.problems()


def import_file_key(source: Source) -> str:
    """Return the key of an import's file in the document's version."""
    return "from" if read_dialect(source.data).is_at_least(FLOWS_VERSION) else "location"
