"""Serves a catalogue of skills: what there is, and the files of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from adapter_host import BuildContext, CatalogEntry, HttpExposer, Operations, curl

from .catalogue import Skill, compile_skills
from .config import SkillConfig

if TYPE_CHECKING:
    from aiohttp import web


class SkillExposer(HttpExposer[SkillConfig]):
    """Tells of skills and gives their files; it runs none of their tools."""

    config_class = SkillConfig

    def __init__(self, config: SkillConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self._skills = compile_skills(config, context)

    def build_app(self) -> web.Application:
        """Its application."""
        # Imported here, with aiohttp: `validate` and `inspect` do without.
        from .service import build_app

        return build_app(self._skills, self.context.settings.response_limit)

    def catalog(self) -> Iterable[CatalogEntry]:
        """The skills."""
        return [CatalogEntry(f"skill {skill.name}", details=_details(skill)) for skill in self._skills.values()]

    def usage(self, url: str) -> str:
        """A curl line for the list of skills."""
        return curl(f"{url.rstrip('/')}/skills", self.config.authentication)


def _details(skill: Skill) -> dict[str, Any]:
    spec = skill.spec
    tools = {
        tool.name: tool.instruction or (tool.from_ and f"{tool.from_.source_namespace}.{tool.from_.action}")
        for tool in spec.tools
    }
    members = {"description": spec.description, "location": spec.location, "tools": tools}
    return {key: value for key, value in members.items() if value}
