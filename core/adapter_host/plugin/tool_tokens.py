"""The cost of a tool's definition for a model, estimated in tokens."""

from __future__ import annotations

from typing import Any, Final

import orjson

from adapter_host.json_nesting import encode_json

from .exposer import CatalogEntry

MOST_TOOL_TOKENS: Final = 20_000
"""Tokens of an exposer's tools above which a model is better served with fewer definitions."""

CHARACTERS_PER_TOKEN: Final = 4


def estimate_tokens(text: str) -> int:
    """Return a quarter of the number of characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def tool_definition_text(name: str, description: str | None, input_schema: Any) -> str:
    """Return the members that clients send to a model; the schemas of results stay with the client."""
    return json_text({"name": name, "description": description or "", "input_schema": input_schema})


def entry_definition_text(entry: CatalogEntry) -> str:
    """Return the `tool_definition_text` of an entry of a catalog that has an `inputSchema`."""
    return tool_definition_text(entry.title, entry.details.get("description"), entry.details["inputSchema"])


def json_text(value: Any) -> str:
    """Return a value as JSON, with integers of any size."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer of more than 64 bits
        return encode_json(value).decode()
