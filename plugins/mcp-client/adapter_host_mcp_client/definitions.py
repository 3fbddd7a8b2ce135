"""The definitions of an MCP server: everything that it lists, without what does not describe its operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from mcp.client import Client
from mcp_types import PaginatedResult
from pydantic import BaseModel

from adapter_host import UpstreamInvalidError

MOST_PAGES: Final = 100
"""The maximum number of pages of one list."""

_KEPT: Final = {
    "tools": ("title", "description", "inputSchema", "outputSchema", "annotations"),
    "resources": ("name", "title", "description", "mimeType"),
    "resourceTemplates": ("name", "title", "description", "mimeType"),
    "prompts": ("title", "description", "arguments"),
}


class _List(Protocol):
    def __call__(self, *, cursor: str | None) -> Awaitable[PaginatedResult]: ...


async def read_definitions(client: Client) -> dict[str, Any]:
    """Return the definitions of a connected server, by tool name, URI, URI template and prompt name."""
    capabilities = client.server_capabilities
    definitions: dict[str, Any] = {}
    if capabilities.tools is not None:
        definitions["tools"] = await _read("tools", client.list_tools, lambda page: page.tools, "name")
    if capabilities.resources is not None:
        definitions["resources"] = await _read("resources", client.list_resources, lambda page: page.resources, "uri")
        definitions["resourceTemplates"] = await _read(
            "resourceTemplates", client.list_resource_templates, lambda page: page.resource_templates, "uriTemplate"
        )
    if capabilities.prompts is not None:
        definitions["prompts"] = await _read("prompts", client.list_prompts, lambda page: page.prompts, "name")
    return definitions


async def _read(kind: str, read_page: _List, items: Callable[[Any], list[BaseModel]], key: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await read_page(cursor=cursor)
        for item in items(page):
            data = item.model_dump(mode="json", by_alias=True, exclude_none=True)
            found[data[key]] = {name: data[name] for name in _KEPT[kind] if name in data}
        cursor = page.next_cursor
        if cursor is None:
            return dict(sorted(found.items()))
    raise UpstreamInvalidError(f"the list of {kind} has more than {MOST_PAGES} pages")
