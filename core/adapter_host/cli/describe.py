"""The metadata of a document, as data and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapter_host.capability.model import Model
from adapter_host.capability.spec import Capability

from .output.table import printable

_FUNCTION_KEYS = ("name", "description", "tags", "semantics", "outputMediaType")
_VERSION_KEYS = ("created", "modified", "version")


def document_summary(capability: Capability) -> dict[str, Any]:
    """Return the metadata of a document, without values and locations of secrets."""
    return {
        "info": _dump(capability.info),
        "binds": [
            {**_dump(bind, "namespace", "description"), "variables": list(bind.keys)} for bind in capability.binds
        ],
        "consumes": [_dump(consumer, "namespace", "type", "description") for consumer in capability.consumes],
        "aggregates": [
            {
                **_dump(aggregate, "namespace", "label", "description"),
                "functions": [_dump(function, *_FUNCTION_KEYS) for function in aggregate.functions],
            }
            for aggregate in capability.aggregates
        ],
    }


def _dump(model: Model, *keys: str) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True, include=set(keys) or None)


def summary_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the descriptions in a summary as lines of text."""
    info = summary["info"]
    if info.get("description"):
        yield f"  {printable(info['description'])}"
    if info.get("tags"):
        yield f"  tags: {printable(', '.join(info['tags']))}"
    if dates := [f"{key} {printable(info[key])}" for key in _VERSION_KEYS if info.get(key)]:
        yield f"  {', '.join(dates)}"
    for person in info.get("stakeholders") or ():
        yield f"  {printable(_person(person))}"
    for section in ("binds", "consumes", "aggregates"):
        for entry in summary[section]:
            text = entry.get("description") or entry.get("label")
            if text:
                yield f"  {section} {entry['namespace']}: {printable(text)}"


def _person(person: Mapping[str, Any]) -> str:
    name = person.get("fullName") or "?"
    address = f" <{person['email']}>" if person.get("email") else ""
    return f"{person.get('role') or 'stakeholder'}: {name}{address}"
