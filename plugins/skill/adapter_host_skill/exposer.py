"""The skill exposer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from adapter_host import BuildContext, CatalogEntry, HttpExposer, Operations, curl

from .catalogue import Skill, compile_skills
from .config import SkillConfig

if TYPE_CHECKING:
    from aiohttp import web


class SkillExposer(HttpExposer[SkillConfig]):
    """Serves descriptions and files of skills; it does not run their tools."""

    config_class = SkillConfig

    def __init__(self, config: SkillConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if not config.skills:
            context.warn("'skills' is empty; nothing is served", config, "skills", code="empty")
        self._skills = compile_skills(config, context)

    def build_app(self) -> web.Application:
        """Return the application that serves the skills."""
        # Imported here because `validate` and `inspect` do not need aiohttp.
        from .service import build_app

        return build_app(self._skills, self.context.settings.response_limit)

    def catalog(self) -> Iterable[CatalogEntry]:
        """Return one entry per skill."""
        return [CatalogEntry(f"skill {skill.name}", details=_details(skill)) for skill in self._skills.values()]

    def usage(self, url: str) -> str:
        """Return a curl command for the list of skills."""
        return curl(f"{url.rstrip('/')}/skills", self.config.authentication)


def _details(skill: Skill) -> dict[str, Any]:
    spec = skill.spec
    tools = {tool["name"]: tool.get("instruction") or _source(tool["invocationRef"]) for tool in skill.tools}
    members = {"description": spec.description, "location": spec.location, "tools": tools}
    return {key: value for key, value in members.items() if value}


def _source(reference: Mapping[str, str]) -> str:
    return f"{reference['targetNamespace']}.{reference['action']}"
