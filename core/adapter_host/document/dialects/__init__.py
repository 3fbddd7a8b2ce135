"""The versions of the language: a document of any of them, rewritten to the one shape that the host reads."""

from adapter_host.document.source import Source
from adapter_host.errors import Problem

from .rewriting import Notes
from .shapes import DOCUMENT, is_import
from .versions import FLOWS, KNOWN, SHAPE, read_dialect, read_version, version_key

__all__ = ["KNOWN", "SHAPE", "import_word", "is_import", "read_version", "rewrite", "version_key"]

_FLOWS_WORDS = {
    "function": "flow",
    "functions": "flows",
    "label": "display",
    "targetName": "target",
}
"""Of the words in messages, those that the later language has others for."""


def rewrite(source: Source) -> list[Problem]:
    """Give a document the shape of 1.0.0-alpha2, whatever version it is of; everything keeps its place."""
    dialect = read_dialect(source.data)
    notes = Notes(source.root, dialect)
    source.root = DOCUMENT(source.root, notes)
    source.words = _FLOWS_WORDS if dialect.reaches(FLOWS) else {}
    return notes.all()


def import_word(source: Source) -> str:
    """Return the key by which an import of the document says its file."""
    return "from" if read_dialect(source.data).reaches(FLOWS) else "location"
