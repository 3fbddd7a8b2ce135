"""The versions with rules here, and the one that applies to a document."""

from dataclasses import dataclass
from typing import Any, Final

from adapter_host.document.strict import alpha2, beta5

from .grammar import Rule


@dataclass(frozen=True, slots=True)
class Language:
    """A version with an official schema, and the versions near it that have none here."""

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
    """Return the language to validate a document with, and the key that declares its version (or an empty string)."""
    languages = (ALPHA2, BETA5)
    headers = [language.header for language in languages if isinstance(data, dict) and language.header in data]
    for header in headers:
        for language in languages:
            if data[header] in (language.version, *language.nearby):
                return language, header
    first = headers[0] if headers else ""
    return (BETA5 if first == BETA5.header else ALPHA2), first
