"""Convert an OpenAPI document to an API."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from adapter_host.errors import Problem, ProblemsError

from .model import Api, ConsumedApi, Endpoint
from .names import UniqueNames, kebab_case, variable
from .operations import EndpointReader, FoundOperation, OpenApiVersion, find_operations, warn_unsupported
from .security import CredentialsBuilder, Requirement, choose_requirements
from .source.documents import Cursor
from .version2 import Version2
from .version3 import Version3

_LONGEST_NAMESPACE: Final = 40
_KNOWN_VERSIONS: Final = ("3.0", "3.1", "3.2")

Group = tuple[str, Requirement]
"""The base URL and the security requirement of operations."""


def read_api(
    root: Cursor, *, only: Collection[str] = (), namespace: str | None = None, security: Sequence[str] = ()
) -> Api:
    """Return a document's API, limited to the tags and operationIds in `only`; raise `ProblemsError`.

    Of the alternatives in `security` of an operation, those with the schemes in `security` are preferred.
    """
    version_reader, spec_version = _select_version(root)
    operations = list(find_operations(root, version_reader.methods))
    _check_only(root, only, operations)
    info = root.mapping("info")
    title = (info.text("title") if info else None) or "API"
    name = namespace or kebab_case(title)[:_LONGEST_NAMESPACE].strip("-") or "api"
    warn_unsupported(root, "webhooks")
    reader = EndpointReader(version_reader)
    found = list(reader.endpoints([item for item in operations if item.is_selected(only)]))
    if not found:
        raise ProblemsError([Problem("no supported operation", root.document.name, code="openapi")])
    consumers = _consumers(root, version_reader, found, name, security)
    by_name = {endpoint.name: endpoint for consumer in consumers for endpoint in consumer.endpoints}
    return Api(
        namespace=name,
        title=title,
        version=_api_version(info) if info else None,
        spec_version=spec_version,
        description=info.text("description") if info else None,
        consumers=consumers,
        endpoints=tuple(by_name[endpoint.name] for _, endpoint in found),
        schemas=version_reader.converter.shared,
        schema_places=version_reader.converter.places,
    )


def _select_version(root: Cursor) -> tuple[OpenApiVersion, str]:
    value = root.value if isinstance(root.value, dict) else {}
    if str(value.get("swagger")) in ("2.0", "2"):
        return Version2(root), "OpenAPI 2.0"
    version = str(value.get("openapi", ""))
    if re.match(r"3\.\d", version):
        if not version.startswith(_KNOWN_VERSIONS):
            root.warn(f"version {version[:40]} is read as {_KNOWN_VERSIONS[-1]}")
        return Version3(root, version), f"OpenAPI {version}"
    detail = f"given {version[:40]}" if version else "no 'openapi: 3.x' or 'swagger: \"2.0\"'"
    raise ProblemsError([Problem(f"not an OpenAPI document of version 2.0 or 3.x ({detail})", root.document.name)])


def _api_version(info: Cursor) -> str | None:
    version = info.value.get("version")
    return str(version) if isinstance(version, str | int | float) else None


def _check_only(root: Cursor, only: Collection[str], operations: Sequence[FoundOperation]) -> None:
    selectable = {item.id for item in operations}.union(*(item.tags for item in operations))
    if unknown := [name for name in only if name not in selectable]:
        names = ", ".join(sorted(name for name in selectable if name)[:20]) or "none"
        message = f"unknown tag or operationId '{unknown[0]}' (known: {names})"
        raise ProblemsError([Problem(message, root.document.name, code="only")])


def _consumers(
    root: Cursor,
    version_reader: OpenApiVersion,
    found: Sequence[tuple[FoundOperation, Endpoint]],
    name: str,
    preferred: Sequence[str],
) -> tuple[ConsumedApi, ...]:
    """Return one API for each base URL and security requirement, that of most operations first."""
    schemes = version_reader.schemes()
    cursors = [operation.cursor for operation, _ in found]
    chosen = choose_requirements(root, cursors, schemes, preferred)
    bases = [version_reader.base(operation.item, operation.cursor) for operation, _ in found]
    groups: dict[Group, list[Endpoint]] = {}
    for base, requirement, (_, endpoint) in zip(bases, chosen, found, strict=True):
        groups.setdefault((base, requirement), []).append(endpoint)
    ordered = sorted(groups, key=lambda group: -len(groups[group]))
    common = Counter(requirement for requirement in chosen if requirement).most_common(1)
    builder = CredentialsBuilder(schemes, variable(name), common[0][0] if common else (), (root, *cursors))
    namespaces = _namespaces(ordered, name)
    return tuple(
        ConsumedApi(
            namespace=namespaces[group],
            base_uri=group[0],
            credentials=builder.credentials(group[1]),
            endpoints=tuple(replace(endpoint, consumer=namespaces[group]) for endpoint in groups[group]),
        )
        for group in ordered
    )


def _namespaces(groups: Sequence[Group], name: str) -> Mapping[Group, str]:
    """Return the name of each group; the first has that of the API."""
    names = UniqueNames()
    for taken in (f"{name}-rest", f"{name}-mcp"):
        names.add(taken)
    first_base, first_requirement = groups[0]
    found = {groups[0]: names.add(name)}
    for base, requirement in groups[1:]:
        words = [_distinction(base, first_base)] if base != first_base else []
        if requirement != first_requirement:
            words.append(kebab_case("-".join(requirement)) or "public")
        found[base, requirement] = names.add(f"{name}-{'-'.join(words)}")
    return found


def _distinction(base: str, other: str) -> str:
    """Return a word for a base URL that another does not have."""
    here, there = urlsplit(base), urlsplit(other)
    if here.netloc != there.netloc:
        labels = re.split(r"[.:]", here.netloc)
        known = re.split(r"[.:]", there.netloc)
        words = [label for label in labels if label not in known] or labels
    else:
        words = [part for part in here.path.split("/") if part and part not in there.path.split("/")]
    return kebab_case(words[0] if words else "") or "other"
