"""What every client is told alike: who answers, what it can do, and which tools there are. Written once, as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from .features.tools import Tool
from .protocol import SERVER_INFO, STATELESS

PAGE: Final = 1000
"""Entries on one page of a list: many, as some clients read the first page alone."""

_LIST: Final = {"listChanged": True}


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Who answers, what it can do, and in which words.

    What it tells may be kept for `ttl_ms` milliseconds; in the scope `public`, for other callers too.
    """

    name: str
    title: str
    version: str
    instructions: str | None
    ttl_ms: int
    cache_scope: Literal["public", "private"]
    features: Mapping[str, Any]

    @property
    def info(self) -> dict[str, str]:
        """As the protocol has it."""
        return {"name": self.name, "title": self.title, "version": self.version}


def features(*, resources: bool, prompts: bool, completion: bool) -> dict[str, Any]:
    """Return the server's capabilities in the protocol's form; tools are always among them."""
    offered = {"logging": {}, "tools": _LIST}
    if resources:
        offered["resources"] = {**_LIST, "subscribe": False}
    if prompts:
        offered["prompts"] = _LIST
    if completion:
        offered["completions"] = {}
    return offered


class ServerInfo:
    """The results that are always the same."""

    def __init__(self, identity: ServerIdentity, tools: Sequence[Tool]) -> None:
        self._identity = identity
        words = {} if identity.instructions is None else {"instructions": identity.instructions}
        kept = {"resultType": "complete", "ttlMs": identity.ttl_ms, "cacheScope": identity.cache_scope}
        signed = {"_meta": {SERVER_INFO: identity.info}}
        self._words = words
        self.result_meta = b"," + orjson.dumps({"resultType": "complete", **signed})[1:-1]
        """What the stateless revision wants at the end of every result."""
        self.discovery = orjson.dumps(
            {"supportedVersions": [STATELESS], "capabilities": identity.features, **words, **kept, **signed}
        )
        self._listed = orjson.dumps({"tools": [tool.definition(any_output=False) for tool in tools]})
        self._listed_stateless = orjson.dumps(
            {"tools": [tool.definition(any_output=True) for tool in tools], **kept, **signed}
        )

    def initialized(self, version: str) -> bytes:
        """Return the result of a handshake."""
        return orjson.dumps(
            {
                "protocolVersion": version,
                "capabilities": self._identity.features,
                "serverInfo": self._identity.info,
                **self._words,
            }
        )

    def listed(self, *, stateless: bool) -> bytes:
        """Return the list of tools, whole."""
        return self._listed_stateless if stateless else self._listed


def is_plain(tools: Sequence[Tool]) -> bool:
    """Whether the tools can be listed as they are, on one page; the SDK says what is wrong with those that cannot."""
    return len(tools) <= PAGE and all(_is_definition(tool.definition(any_output=False)) for tool in tools)


def _is_definition(definition: Mapping[str, Any]) -> bool:
    texts = (definition["name"], definition.get("title", ""), definition.get("description", ""))
    return (
        all(isinstance(text, str) for text in texts)
        and _is_schema(definition["inputSchema"])
        and _is_schema(definition.get("outputSchema", {"type": "object"}))
        and all(isinstance(hint, str | bool) for hint in definition.get("annotations", {}).values())
    )


def _is_schema(schema: Any) -> bool:
    """Whether it is the schema of an object, with nothing that the protocol has a word about but these."""
    return (
        isinstance(schema, dict)
        and schema.keys() <= {"type", "properties", "required", "additionalProperties", "description"}
        and schema.get("type") == "object"
        and isinstance(schema.get("properties", {}), dict)
        and all(isinstance(each, dict) for each in schema.get("properties", {}).values())
        and isinstance(schema.get("required", []), list)
    )
