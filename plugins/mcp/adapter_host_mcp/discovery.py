"""Results of `initialize`, `server/discover` and `tools/list`, serialized once for all clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from .features.tools import Tool
from .protocol import SERVER_INFO_KEY, STATELESS_VERSION

PAGE_SIZE: Final = 1000
"""Entries per page of a list; large, as some clients read only the first page."""

_LIST_CAPABILITY: Final = {"listChanged": True}


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """The server's name, version, capabilities and instructions.

    Clients may cache results for `ttl_ms` milliseconds; in the scope `public`, also for other users. `extensions` are
    the settings of each extension by its identifier, declared in the stateless revision.
    """

    name: str
    title: str
    version: str
    instructions: str | None
    ttl_ms: int
    cache_scope: Literal["public", "private"]
    capabilities: Mapping[str, Any]
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def info(self) -> dict[str, str]:
        """Return the members of `serverInfo`."""
        return {"name": self.name, "title": self.title, "version": self.version}


def server_capabilities(*, resources: bool, prompts: bool, completion: bool) -> dict[str, Any]:
    """Return the server's `capabilities`, which always include tools and logging."""
    supported = {"logging": {}, "tools": _LIST_CAPABILITY}
    if resources:
        supported["resources"] = {**_LIST_CAPABILITY, "subscribe": False}
    if prompts:
        supported["prompts"] = _LIST_CAPABILITY
    if completion:
        supported["completions"] = {}
    return supported


class ServerInfo:
    """Results that are equal for all clients of a revision, serialized."""

    def __init__(self, identity: ServerIdentity, tools: Sequence[Tool]) -> None:
        self._identity = identity
        instructions = {} if identity.instructions is None else {"instructions": identity.instructions}
        cache = {"resultType": "complete", "ttlMs": identity.ttl_ms, "cacheScope": identity.cache_scope}
        meta = {"_meta": {SERVER_INFO_KEY: identity.info}}
        self._instructions = instructions
        self.result_meta = b"," + orjson.dumps({"resultType": "complete", **meta})[1:-1]
        """Members that the stateless revision requires in every result."""
        extensions = {"extensions": identity.extensions} if identity.extensions else {}
        self.discover_result = orjson.dumps(
            {
                "supportedVersions": [STATELESS_VERSION],
                "capabilities": {**identity.capabilities, **extensions},
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
        """Return the result of `initialize` for the protocol version `version`."""
        return orjson.dumps(
            {
                "protocolVersion": version,
                "capabilities": self._identity.capabilities,
                "serverInfo": self._identity.info,
                **self._instructions,
            }
        )

    def tools_list(self, *, stateless: bool) -> bytes:
        """Return the result of `tools/list`, which is a single page."""
        return self._stateless_tools if stateless else self._handshake_tools


def fit_fast_path(tools: Sequence[Tool]) -> bool:
    """Return True if the tools fit on one page and their definitions need no validation by the SDK."""
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
    """Return True for a schema of an object that has only keywords known to be valid in MCP."""
    return (
        isinstance(schema, dict)
        and schema.keys() <= {"type", "properties", "required", "additionalProperties", "description"}
        and schema.get("type") == "object"
        and isinstance(schema.get("properties", {}), dict)
        and all(isinstance(child, dict) for child in schema.get("properties", {}).values())
        and isinstance(schema.get("required", []), list)
    )
