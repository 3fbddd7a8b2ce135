"""The A2A exposer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from adapter_host import BuildContext, CatalogEntry, HttpExposer, Operations

from .card import CARD_PATH, build_card
from .config import A2aConfig
from .skills import compile_skills

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

    from .agent import Agent
    from .service import Service


class A2aExposer(HttpExposer[A2aConfig]):
    """Exposer for `type: a2a`: an agent of the Agent2Agent protocol 1.0, whose skills are operations."""

    config_class = A2aConfig
    endpoint = "/a2a"
    decodes_bodies = True
    public_paths = frozenset({CARD_PATH})
    """The agent card is public: clients read in it which credentials they need."""

    def __init__(self, config: A2aConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if not config.skills:
            context.warn("'skills' is empty; nothing is served", config, "skills", code="empty")
        self.skills = compile_skills(config, operations, context)
        self._agent: Agent | None = None
        self._service: Service | None = None

    def build_app(self) -> web.Application:
        """Return the application that serves the agent and its card."""
        # Imported here because `validate` and `inspect` do not need aiohttp.
        from .agent import Agent
        from .service import Service
        from .tasks import TaskStore

        settings = self.context.settings
        # Clients poll their tasks, also after a reload.
        store = self.context.shared_state(f"a2a {self.config.namespace}", TaskStore)
        self._agent = Agent(self.skills, store, self.config, settings.response_limit)
        card = build_card(self.config, self.skills, self.context.loaded)
        self._service = Service(self._agent, card, settings.body_limit, self.public_url)
        return self._service.app(self.endpoint)

    def origin_routes(self) -> Mapping[str, Handler]:
        """Return the route of the agent card, where clients look for it."""
        return {CARD_PATH: self._serve_card}

    async def _serve_card(self, request: web.Request) -> web.StreamResponse:
        assert self._service is not None
        return await self._service.serve_card(request)

    def catalog(self) -> Iterable[CatalogEntry]:
        """Return the skills."""
        return [CatalogEntry(f"skill {skill.id}", skill.operation) for skill in self.skills.values()]

    def usage(self, url: str) -> str:
        """Return a curl command for the agent card."""
        return f"curl {urljoin(url, CARD_PATH)}"

    async def stop(self) -> None:
        """Cancel the tasks in progress."""
        if self._agent is not None:
            await self._agent.stop()
