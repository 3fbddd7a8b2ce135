"""The MCP exposer. The SDK is imported only when the exposer is served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import orjson

from adapter_host import Arguments, BuildContext, CatalogEntry, ClientRequest, Included, Operation, Operations

from .budget.setup import apply_budgets
from .catalog import catalog_entries, tool_entry
from .client_config import client_config
from .client_request import tool_call
from .config import McpConfig
from .discovery import ServerIdentity, ServerInfo, fit_fast_path, server_capabilities
from .features.completion import can_complete
from .features.declared_tools import prepare_tools
from .features.descriptions import request_describer
from .features.prompts import Prompt, prepare_prompts
from .features.resources import FileResource, Resource, prepare_resources, warn_missing_locations
from .search.groups import NO_GROUPS
from .search.served_tools import ServedTools, check_discovery, serve_tools
from .search.tool_search import ToolSearch
from .server_card import CardExposer
from .session_key import session_key
from .skills.served_skills import SkillFiles, prepare_skills, skills_extension
from .tasks.extension import task_extension

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler
    from mcp.server.lowlevel import Server

    from .http.page import Description
    from .http.state import ServerState
    from .http.transport import HttpTransport
    from .replicas.link import ReplicaLink
    from .sdk.http import SdkEndpoint
    from .sdk.tasks import Tasks


class McpExposer(CardExposer):
    """Exposer for `type: mcp`: tools, resources, prompts, skills and tasks over HTTP or stdio."""

    config_class = McpConfig
    endpoint = "/mcp"
    includes = ("mcp", "rest")
    decodes_bodies = True

    def __init__(self, config: McpConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self._budgets = apply_budgets(config, prepare_tools(config, operations, context), context)
        self.tools = self._budgets.tools
        self.skills = prepare_skills(config, context)
        self.resources: Sequence[Resource] = (*prepare_resources(config.resources, operations, context), *self.skills)
        self.prompts: Mapping[str, Prompt] = prepare_prompts(config.prompts, context)
        self._groups = NO_GROUPS
        check_discovery(config, self.tools, context)
        self._check_port()
        self._check_cache_scope()
        self._key = session_key(config, context)
        self._transport: HttpTransport | None = None
        self._replicas: ReplicaLink | None = None

    def _check_cache_scope(self) -> None:
        if self.config.cache_scope == "public" and self.config.authentication is not None:
            message = "'cacheScope: public' lets caches serve results of authenticated clients to others; use 'private'"
            self.context.warn(message, self.config, "cacheScope", code="public-cache")

    def _check_port(self) -> None:
        has_port = "port" in self.config.model_fields_set
        if self.stdio and has_port:
            self.context.warn("'port' is ignored with 'transport: stdio'", self.config, "port", code="ignored")
        elif not self.stdio and not has_port:
            message = "'port' is missing; set a port, 0 for any free port, or 'transport: stdio'"
            self.context.problem(message, self.config, code="missing-key")

    @property
    def stdio(self) -> bool:
        """True with `transport: stdio`."""
        return self.config.transport == "stdio"

    def include(self, included: Sequence[Included]) -> None:
        """Serve the tools, resources, prompts and skills of other exposers too."""
        # Imported here, as most exposers include nothing.
        from .inclusion import merge

        merged = merge(self, self._budgets, included)
        self._budgets, self._groups = merged.budgets, merged.groups
        self.tools, self.resources, self.prompts = merged.budgets.tools, merged.resources, merged.prompts
        self.skills = tuple(resource for resource in self.resources if isinstance(resource, SkillFiles))
        self.operations = Operations([*self.operations.values(), *merged.included_operations])

    def catalog(self) -> Iterable[CatalogEntry]:
        """Return the tools, resources and prompts."""
        return catalog_entries(self._served, self.resources, self.prompts.values())

    def usage(self, url: str) -> str:
        """Return the configuration of a client, as JSON."""
        server = client_config(url, self.config.authentication)
        document = {"mcpServers": {self.config.namespace: server}}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()

    def client_request(self, operation: Operation, arguments: Arguments, url: str) -> ClientRequest | None:
        """Return a `tools/call` of the revision without a handshake; None for resources and prompts."""
        tool = next((tool for tool in self._served.callable.values() if tool.operation is operation), None)
        return None if tool is None else tool_call(url, tool, arguments)

    def search(self, query: str, group: str | None = None) -> Iterable[CatalogEntry]:
        """Return the tools that `search_tools` finds, or would find with `x-discovery: search`."""
        search = self._served.search or ToolSearch(
            self.tools, self.context.loaded.capability, self.config.namespace, self._groups
        )
        return [tool_entry(tool) for tool in search.find(query, group)]

    @cached_property
    def _served(self) -> ServedTools:
        # Late, as `validate` needs no schemas to choose what is listed.
        return serve_tools(self.config, self.tools, self._budgets.added, self.context, self._groups)

    @property
    def _lists_resources(self) -> bool:
        # Results over a declared budget are held as resources.
        return bool(self.resources) or self._budgets.is_declared

    async def start(self) -> None:
        """Prepare the tools, warn about missing files, and join other replicas if there is a store."""
        # In a thread, as requests continue during a reload.
        await asyncio.to_thread(self._served.prepare)
        locations = [
            (resource.uri.text, resource.location) for resource in self.resources if isinstance(resource, FileResource)
        ]
        prompts = [prompt for prompt in self.prompts.values() if prompt.location]
        locations += [(f"prompt '{prompt.name}'", prompt.location) for prompt in prompts if prompt.location]
        await warn_missing_locations(locations)
        if not self.stdio and self.context.state.is_shared:
            await self._join_replicas()

    async def _join_replicas(self) -> None:
        # Imported here, as most hosts have no store that replicas share.
        from .replicas.link import link_replicas

        tools = [tool.definition(allow_any_json=True) for tool in self._served.callable.values()]
        resources = [[resource.uri.text, resource.definition] for resource in self.resources]
        prompts = [prompt.definition for prompt in self.prompts.values()]
        self._replicas = link_replicas(self.context, [tools, resources, prompts])
        await self._replicas.join()

    def build_app(self) -> web.Application:
        """Build the endpoint; the SDK is imported now if it is certainly needed, else on first use."""
        # Imported here, with aiohttp, as `validate` and `inspect` need neither.
        from .http.state import ServerState
        from .http.transport import HttpTransport

        listed = list(self._served.listed.values())
        fast_path = type(self).build_server is McpExposer.build_server and fit_fast_path(listed)
        describer = request_describer(self.context, self._served.callable, self.resources)
        state = ServerState(self.context.settings, self._key, self._replicas, describer)
        server_info = ServerInfo(self._identity(), listed) if fast_path else None
        self._transport = HttpTransport(
            state, self._served.callable, server_info, self._build_sdk_endpoint, _import_sdk, self._describe
        )
        if not fast_path or self._lists_resources or self.prompts:
            self._transport.load_sdk()
        return self.add_card(self._transport.app(self.endpoint))

    def direct_handler(self, request: web.Request) -> Handler | None:
        """Return the handler for POST requests to the endpoint, which bypass the router."""
        return self._transport.direct_handler(request) if self._transport is not None else None

    def _build_sdk_endpoint(self, state: ServerState) -> SdkEndpoint:
        from .sdk.http import SdkEndpoint

        server = self.build_server()
        return SdkEndpoint(server, self._served.callable, state, self._add_tasks(server))

    @cached_property
    def _has_tasks(self) -> bool:
        return any(tool.task is not None for tool in self.tools.values())

    def _add_tasks(self, server: Server[None]) -> Tasks | None:
        """Add the handlers of tasks, if a tool may begin one."""
        if not self._has_tasks:
            return None
        from .sdk.tasks import add_tasks

        return add_tasks(server, self._served.callable, self._key, self.context)

    def _describe(self) -> Description:
        """Return the content of the page for browsers."""
        from .http.page import Description

        resources = [(resource.uri.text, resource.description or "") for resource in self.resources]
        entries = (
            ("Tools", [(tool.name, tool.operation.description or "") for tool in self.tools.values()]),
            ("Resources", resources),
            ("Prompts", [(prompt.name, prompt.description or "") for prompt in self.prompts.values()]),
        )
        identity = self._identity()
        return Description(identity.title, identity.instructions or "", entries, self._usage)

    def _usage(self, url: str) -> str:
        """Return the configuration of a client that has seen the endpoint at `url`."""
        return self.usage(self.declared_public_url or url)

    def _identity(self) -> ServerIdentity:
        capability = self.context.loaded.capability
        return ServerIdentity(
            name=self.config.namespace,
            title=capability.label,
            version=capability.info.version or version("adapter-host-mcp"),
            instructions=self.config.description,
            ttl_ms=self.config.ttl_ms,
            cache_scope=self.config.cache_scope,
            capabilities=server_capabilities(
                resources=self._lists_resources,
                prompts=bool(self.prompts),
                completion=can_complete(self.resources, self.prompts.values()),
            ),
            extensions={**skills_extension(self.skills), **task_extension(has_tasks=self._has_tasks)},
        )

    async def drain(self) -> None:
        """Close the streams for change notifications; calls in flight continue."""
        if self._transport is not None:
            self._transport.close()

    async def stop(self) -> None:
        """Cancel the calls that continue without a connection, and leave the other replicas."""
        if self._transport is not None:
            await self._transport.stop()
        if self._replicas is not None:
            await self._replicas.leave()

    def notify_reload(self) -> None:
        """Notify listening clients that the lists have changed, also those of other replicas that list the same."""
        if self._transport is not None:
            self._transport.notify_changed()
        if self._replicas is not None:
            self._replicas.announce_change()

    @property
    def active_count(self) -> int:
        """The number of responses in progress, open streams and pending requests to clients."""
        return self._transport.active_count if self._transport is not None else 0

    async def serve_stdio(self) -> None:
        """Serve one client over standard input and output until it ends its input."""
        from .sdk import descriptions, handlers, stdio

        tools = self._served.callable
        server = descriptions.describe_requests(self.build_server(), self.context, tools, self.resources)
        new_call = partial(self.context.call, "stdio", whole_request=True)
        handlers.add_tool_calls(server, tools, lambda sent: new_call(request_id=sent), self._add_tasks(server))
        with stdio.claim_stdio() as (source, sink):
            await stdio.serve(server, source, sink, self.context.settings.body_limit)

    def build_server(self) -> Server[None]:
        """Build the SDK's server with the declared features; override to add handlers."""
        from .sdk import handlers
        from .sdk.held_results import add_held_results
        from .sdk.server import build_server

        server = build_server(self._identity(), self._served.listed)
        if self._lists_resources:
            handlers.add_resources(server, self.resources)
        add_held_results(server, self._budgets.held)
        if self.prompts:
            handlers.add_prompts(server, self.prompts)
        if self.skills:
            from .sdk.skills import add_skills

            add_skills(server, self.skills, self._identity())
        handlers.add_completion(server, self.resources, self.prompts)
        return server


def _import_sdk() -> None:
    from .sdk import http  # noqa: F401
