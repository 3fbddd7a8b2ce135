"""What every client is told alike: who answers, what it can do, and which tools there are. Written once, as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from .features.tools import Tool
from .protocol import SERVER_INFO_KEY, STATELESS_VERSION

PAGE_SIZE: Final = 1000
"""Entries on one page of a list: many, as some clients read the first page alone."""

_LIST_CAPABILITY: Final = {"listChanged": True}


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
    capabilities: Mapping[str, Any]

    @property
    def info(self) -> dict[str, str]:
        """As the protocol has it."""
        return {"name": self.name, "title": self.title, "version": self.version}


def server_capabilities(*, resources: bool, prompts: bool, completion: bool) -> dict[str, Any]:
    """What the server can do, as the protocol has it; tools it always has."""
    supported = {"logging": {}, "tools": _LIST_CAPABILITY}
    if resources:
        supported["resources"] = {**_LIST_CAPABILITY, "subscribe": False}
    if prompts:
        supported["prompts"] = _LIST_CAPABILITY
    if completion:
        supported["completions"] = {}
    return supported


class ServerInfo:
    """The results that are always the same."""

    def __init__(self, identity: ServerIdentity, tools: Sequence[Tool]) -> None:
        self._identity = identity
        instructions = {} if identity.instructions is None else {"instructions": identity.instructions}
        cache = {"resultType": "complete", "ttlMs": identity.ttl_ms, "cacheScope": identity.cache_scope}
        meta = {"_meta": {SERVER_INFO_KEY: identity.info}}
        self._instructions = instructions
        self.result_meta = b"," + orjson.dumps({"resultType": "complete", **meta})[1:-1]
        """What the stateless revision wants at the end of every result."""
        self.discover_result = orjson.dumps(
            {
                "supportedVersions": [STATELESS_VERSION],
                "capabilities": identity.capabilities,
                **instructions,
                **cache,
                **meta,
            }
        )
        self._handshake_tools = orjson.dumps({"tools": [tool.definition(allow_any_json=False) for tool in tools]})
        self._stateless_tools = orjson.dumps(
            {"tools": [tool.definition(allow_any_json=True) for tool in tools], **cache, **meta}
        )

    def initialize_result(self, version: str) -> bytes:
        """The result of a handshake."""
        return orjson.dumps(
            {
                "protocolVersion": version,
                "capabilities": self._identity.capabilities,
                "serverInfo": self._identity.info,
                **self._instructions,
            }
        )

    def tools_list(self, *, stateless: bool) -> bytes:
        """The list of tools, whole."""
        return self._stateless_tools if stateless else self._handshake_tools


def fit_fast_path(tools: Sequence[Tool]) -> bool:
    """Whether the tools can be listed as they are, on one page; the SDK says what is wrong with those that cannot."""
    return len(tools) <= PAGE_SIZE and all(_is_definition(tool.definition(allow_any_json=False)) for tool in tools)


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
        and all(isinstance(child, dict) for child in schema.get("properties", {}).values())
        and isinstance(schema.get("required", []), list)
    )
