"""Requests for skills and their files: what is needed once they are served, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from adapter_host import ArgumentError, NotFoundError, guess_media_type

from .answers import BYTES, Answer, tell_errors
from .archive import Archive
from .catalogue import Skill

_NO_PATH: Final = frozenset({"", ".", ".."})


def build_app(skills: Mapping[str, Skill], limit: int) -> web.Application:
    """An application that serves skills; no more than `limit` bytes are held of one."""
    listing = [skill.entry for skill in skills.values()]
    listed = Answer.of_data({"count": len(listing), "skills": listing})
    app = web.Application(middlewares=[tell_errors])
    _Routes({name: _Served(skill, limit) for name, skill in skills.items()}, listed).add_to(app.router)
    return app


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
    """The paths of the list, and those below each skill."""

    def __init__(self, skills: Mapping[str, _Served], listed: Answer) -> None:
        self._skills = skills
        self._listed = listed

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Let a router know them."""
        router.add_get("/skills{slash:/?}", self._list)
        router.add_get("/skills/{name}{slash:/?}", self._describe)
        router.add_get("/skills/{name}/download{slash:/?}", self._download)
        router.add_get("/skills/{name}/contents{slash:/?}", self._list_contents)
        router.add_get("/skills/{name}/contents/{file:.+}", self._give_file)

    def _skill(self, request: web.Request) -> _Served:
        found = self._skills.get(request.match_info["name"])
        if found is None:
            raise NotFoundError("there is no such skill")
        return found

    async def _list(self, request: web.Request) -> web.Response:
        return self._listed.response(request)

    async def _describe(self, request: web.Request) -> web.Response:
        return self._skill(request).description.response(request)

    async def _download(self, request: web.Request) -> web.Response:
        return (await self._skill(request).archive()).response(request)

    async def _list_contents(self, request: web.Request) -> web.Response:
        return (await self._skill(request).contents()).response(request)

    async def _give_file(self, request: web.Request) -> web.Response:
        return (await self._skill(request).file(request.match_info["file"])).response(request)
