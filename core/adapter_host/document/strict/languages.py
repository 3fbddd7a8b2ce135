"""The versions of the language that are described here, and which of them a document is held to."""

from dataclasses import dataclass
from typing import Any, Final

from adapter_host.document.strict import alpha2, beta5

from .grammar import Rule


@dataclass(frozen=True, slots=True)
class Language:
    """A version of the language as its official schema has it, and versions nearby that have no schema here."""

    version: str
    header: str
    document: Rule
    nearby: tuple[str, ...]


ALPHA2: Final = Language(alpha2.VERSION, "naftiko", alpha2.DOCUMENT, ("1.0.0-alpha1",))
BETA5: Final = Language(
    beta5.VERSION,
    "ikanos",
    beta5.DOCUMENT,
    ("1.0.0-alpha3", "1.0.0-alpha4", "1.0.0-beta1", "1.0.0-beta2", "1.0.0-beta3", "1.0.0-beta4"),
)


def language_of(data: Any) -> tuple[Language, str]:
    """Return language to hold a document to, and the key that states the document's version (empty where none does)."""
    languages = (ALPHA2, BETA5)
    headers = [language.header for language in languages if isinstance(data, dict) and language.header in data]
    for header in headers:
        for language in languages:
            if data[header] in (language.version, *language.nearby):
                return language, header
    first = headers[0] if headers else ""
    return (BETA5 if first == BETA5.header else ALPHA2), first
