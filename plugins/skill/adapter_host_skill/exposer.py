"""Serves a catalogue of skills: what there is, and the files of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web

from adapter_host import ArgumentError, HttpExposer, NotFoundError, Offer, Operations, Provision, curl, guess_media_type

from .answers import BYTES, Answer, tell_errors
from .archive import Archive
from .catalogue import Skill, prepare_skills
from .config import SkillConfig

_NO_PATH: Final = frozenset({"", ".", ".."})


class SkillExposer(HttpExposer[SkillConfig]):
    """Tells of skills and gives their files; it runs none of their tools."""

    config_class = SkillConfig

    def __init__(self, config: SkillConfig, operations: Operations, provision: Provision) -> None:
        super().__init__(config, operations, provision)
        self._skills = prepare_skills(config, provision)
        listing = [skill.entry for skill in self._skills.values()]
        self._list = Answer.of_data({"count": len(listing), "skills": listing})

    def build_app(self) -> web.Application:
        """Its application."""
        limit = self.provision.settings.answer_limit
        served = {name: _Served(skill, limit) for name, skill in self._skills.items()}
        app = web.Application(middlewares=[tell_errors])
        app.router.add_get("/skills{slash:/?}", self._show_list)
        _Routes(served).add_to(app.router)
        return app

    async def _show_list(self, request: web.Request) -> web.Response:
        return self._list.response(request)

    def offers(self) -> Iterable[Offer]:
        """The skills."""
        return [Offer(f"skill {skill.name}", details=_details(skill)) for skill in self._skills.values()]

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


class _Served:
    """One skill while it is served."""

    def __init__(self, skill: Skill, limit: int) -> None:
        self.name = skill.name
        self.description = Answer.of_data(skill.description)
        self._location = skill.location
        self._archive = Archive(skill.name, skill.location, limit) if skill.location else None

    async def contents(self) -> Answer:
        """The list of its files."""
        if self._location is None or not await asyncio.to_thread(self._location.is_folder):
            raise NotFoundError("the skill has no files")
        files = await asyncio.to_thread(self._location.files)
        listed = [
            {"path": each.path, "size": each.size, "type": guess_media_type(each.path) or BYTES} for each in files
        ]
        return Answer.of_data({"name": self.name, "files": listed})

    async def file(self, path: str) -> Answer:
        """One of its files."""
        if "\\" in path or "\0" in path or not _NO_PATH.isdisjoint(path.split("/")):
            raise ArgumentError("file", "the path must be that of a file below the skill's folder")
        if self._location is None:
            raise NotFoundError("the skill has no files")
        body = await asyncio.to_thread(self._location.read, path)
        return await asyncio.to_thread(Answer.of_file, path, body)

    async def archive(self) -> Answer:
        """All of its files."""
        if self._archive is None:
            raise NotFoundError("the skill has no files")
        return await self._archive.answer()


class _Routes:
    """The paths below one skill."""

    def __init__(self, skills: Mapping[str, _Served]) -> None:
        self._skills = skills

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Let a router know them."""
        router.add_get("/skills/{name}{slash:/?}", self._describe)
        router.add_get("/skills/{name}/download{slash:/?}", self._download)
        router.add_get("/skills/{name}/contents{slash:/?}", self._list_contents)
        router.add_get("/skills/{name}/contents/{file:.+}", self._give_file)

    def _skill(self, request: web.Request) -> _Served:
        found = self._skills.get(request.match_info["name"])
        if found is None:
            raise NotFoundError("there is no such skill")
        return found

    async def _describe(self, request: web.Request) -> web.Response:
        return self._skill(request).description.response(request)

    async def _download(self, request: web.Request) -> web.Response:
        return (await self._skill(request).archive()).response(request)

    async def _list_contents(self, request: web.Request) -> web.Response:
        return (await self._skill(request).contents()).response(request)

    async def _give_file(self, request: web.Request) -> web.Response:
        return (await self._skill(request).file(request.match_info["file"])).response(request)
