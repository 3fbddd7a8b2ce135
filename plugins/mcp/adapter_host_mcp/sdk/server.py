"""The SDK's server: tools, pagination, subscriptions to changes, log levels and sealed request state."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_args

import mcp_types as types
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import (
    SUBSCRIPTION_ID_META_KEY,
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
    event_to_notification,
)
from mcp_types import methods as wire
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from adapter_host import StartError, StoreUnavailableError
from adapter_host_mcp.discovery import PAGE_SIZE, ServerIdentity
from adapter_host_mcp.features.tools import Tool
from adapter_host_mcp.http.sse import MAX_QUEUED, MAX_STREAMS, STREAM_LIFETIME, ChangeStreams, TooManyStreamsError

if TYPE_CHECKING:
    from adapter_host_mcp.http.state import ServerState

LISTEN: Final = "subscriptions/listen"

_EVENTS: Final[Mapping[str, ServerEvent]] = {
    event_to_notification(event, {}).method: event
    for event in (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged())
}
"""The SDK's event for each notification of a changed list."""

Context = ServerRequestContext[None]
CapabilityMap = dict[str, dict[str, Any]] | None
_Entry = TypeVar("_Entry")


class McpServer(Server[None]):
    """Server that advertises only supported subscriptions: changes of lists, and resources if a handler exists."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: CapabilityMap = None,
        extensions: CapabilityMap = None,
    ) -> InitializationOptions:
        supported = self.get_request_handler(LISTEN) is not None
        changes = NotificationOptions(prompts_changed=supported, resources_changed=supported, tools_changed=supported)
        return super().create_initialization_options(
            notification_options or changes, experimental_capabilities, extensions
        )

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: CapabilityMap = None,
        extensions: CapabilityMap = None,
        *,
        protocol_version: str | None = None,
    ) -> types.ServerCapabilities:
        capabilities = super().get_capabilities(
            notification_options, experimental_capabilities, extensions, protocol_version=protocol_version
        )
        if capabilities.resources is not None and self.get_request_handler("resources/subscribe") is None:
            capabilities.resources.subscribe = False
        return capabilities


class PaginatedList(Generic[_Entry]):
    """A paginated list; cursors are valid only for a list of the same entries."""

    def __init__(self, entries: Sequence[_Entry], names: Sequence[str], size: int = PAGE_SIZE) -> None:
        self._entries = entries
        self._size = size
        self._fingerprint = hashlib.sha256("\n".join(names).encode("utf-8", "surrogatepass")).digest()[:6]

    def page(self, params: types.PaginatedRequestParams | None) -> tuple[list[_Entry], str | None]:
        """Return the requested page and the cursor of the next; raise `MCPError` for an unknown cursor."""
        start = self._start(params.cursor) if params and params.cursor is not None else 0
        end = start + self._size
        return list(self._entries[start:end]), self._cursor(end) if end < len(self._entries) else None

    def _cursor(self, start: int) -> str:
        return base64.urlsafe_b64encode(self._fingerprint + start.to_bytes(4, "big")).decode().rstrip("=")

    def _start(self, cursor: str) -> int:
        for start in range(self._size, len(self._entries), self._size):
            if cursor == self._cursor(start):
                return start
        raise MCPError(types.INVALID_PARAMS, "unknown cursor; start again without a cursor")


def build_server(identity: ServerIdentity, tools: Mapping[str, Tool]) -> Server[None]:
    """Build a server that lists `tools`."""
    pages = {version: _paginate_tools(tools, version) for version in (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION)}

    async def list_tools(context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        page, cursor = pages[LATEST_MODERN_VERSION if modern else LATEST_HANDSHAKE_VERSION].page(params)
        return types.ListToolsResult(tools=page, next_cursor=cursor)

    hint = CacheHint(identity.ttl_ms, identity.cache_scope)
    server = McpServer(
        identity.name,
        title=identity.title,
        version=identity.version,
        instructions=identity.instructions,
        cache_hints=dict.fromkeys(get_args(CacheableMethod), hint),
        on_list_tools=list_tools,
    )
    server.extensions.update(identity.extensions)
    # Removes the SDK's tracing, which slows down requests even when nothing collects the traces.
    server.middleware.clear()
    return server


def _paginate_tools(tools: Mapping[str, Tool], version: str) -> PaginatedList[types.Tool]:
    allow_any_json = version in MODERN_PROTOCOL_VERSIONS
    definitions = [tool.definition(allow_any_json=allow_any_json) for tool in tools.values()]
    for definition in definitions:
        _validate_definition(definition, version)
    return PaginatedList(
        [types.Tool.model_validate(definition, by_name=False) for definition in definitions], list(tools)
    )


def _validate_definition(definition: Mapping[str, Any], version: str) -> None:
    # Validated one by one at start, as a single invalid tool would make the whole list fail.
    data = {"tools": [definition], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    try:
        wire.validate_server_result("tools/list", version, data)
    except ValidationError as error:
        location = ".".join(map(str, error.errors()[0]["loc"][2:]))
        name = definition["name"]
        raise StartError(f"tool '{name}' is not valid in MCP {version}: invalid '{location}'") from error


class _SubscriptionBus:
    """`ChangeStreams` with the interface of the SDK's subscription bus."""

    def __init__(self, streams: ChangeStreams) -> None:
        self._streams = streams

    async def publish(self, event: ServerEvent) -> None:
        """Publish an event to all listeners and yield to them."""
        name = next((name for name, change in _EVENTS.items() if change == event), None)
        self._streams.publish(event if name is None else name)
        await asyncio.sleep(0)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Add a listener; return the function that removes it."""

        def on_change(change: Any) -> None:
            listener(_EVENTS[change] if isinstance(change, str) else change)

        return self._streams.subscribe(on_change)


def add_subscriptions(server: Server[None], streams: ChangeStreams) -> None:
    """Add the handler of `subscriptions/listen`, which streams change notifications."""
    handler = ListenHandler(_SubscriptionBus(streams), max_subscriptions=MAX_STREAMS, max_buffered_events=MAX_QUEUED)
    has_resource_subscriptions = server.get_request_handler("resources/subscribe") is not None

    async def handle_listen(
        context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        if not has_resource_subscriptions:
            params.notifications.resource_subscriptions = None
        try:
            with streams.track(handler.close, None if context.request is None else context.request.client):
                async with asyncio.timeout(STREAM_LIFETIME):
                    return await handler(context, params)
        except TooManyStreamsError:
            raise MCPError(types.INTERNAL_ERROR, "too many open streams; retry later") from None
        except TimeoutError:
            return types.SubscriptionsListenResult(meta={SUBSCRIPTION_ID_META_KEY: context.request_id})

    server.add_request_handler(LISTEN, types.SubscriptionsListenRequestParams, handle_listen)


def add_log_level(server: Server[None], state: ServerState) -> None:
    """Add the handler of `logging/setLevel`."""

    async def set_log_level(context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        if context.request is not None and context.request.session is not None:
            try:
                await state.set_log_level(context.request.session, params.level)
            except StoreUnavailableError as error:
                raise MCPError(types.INTERNAL_ERROR, error.message) from None
        return types.EmptyResult()

    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_log_level)


def seal_state(server: Server[None], key: bytes) -> None:
    """Seal the state that handlers store with clients between two rounds of a request, for the same principal."""
    keys = [hmac.digest(key, b"mcp request state", "sha256")]
    security = RequestStateSecurity(keys=keys, bind_principal=_principal)
    server.middleware.append(RequestStateBoundary(security, default_audience=server.name))


def _principal(context: Context) -> str | None:
    return context.request.principal or None if context.request is not None else None
