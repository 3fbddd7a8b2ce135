"""OpenAPI documents in the place of capabilities: each is converted to a capability that exposes all of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapter_host.document.source import Source
from adapter_host.errors import Problem


def is_openapi(source: Source) -> bool:
    """Return whether a document is one of OpenAPI, and not a capability."""
    data = source.data
    return isinstance(data, dict) and ("openapi" in data or "swagger" in data) and "capability" not in data


def capability_of(
    source: Source, only: Collection[str] = (), overlays: Sequence[str] = ()
) -> tuple[Source, list[Problem]]:
    """Return the capability of an OpenAPI file, and warnings for all that it cannot express.

    `only` are the tags and operationIds to which it is limited, `overlays` the files that are applied to it. Raises
    `ProblemsError`.
    """
    # Imported late: few documents are of OpenAPI.
    from adapter_host.openapi import Documents, WarningCollector, capability, read_api

    warnings = WarningCollector()
    documents = Documents(warnings, overlays=overlays)
    api = read_api(documents.open(source.file), only=only)
    converted = Source.from_data(capability(api), source.file)
    converted.converted_from = documents.files
    return converted, list(warnings.problems)
