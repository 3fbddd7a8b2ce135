"""Request handling of the skill exposer; imported only when it is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from adapter_host import ArgumentError, Location, NotFoundError, guess_media_type

from .archive import Archive
from .catalogue import Skill
from .responses import BYTES, CacheableResponse, problem_middleware

_NO_PATH: Final = frozenset({"", ".", ".."})


def build_app(skills: Mapping[str, Skill], limit: int) -> web.Application:
    """Build the application; at most `limit` bytes of one skill are loaded into memory."""
    summaries = [skill.summary for skill in skills.values()]
    listing = CacheableResponse.from_data({"count": len(summaries), "skills": summaries})
    app = web.Application(middlewares=[problem_middleware])
    _Routes({name: _SkillEndpoints(skill, limit) for name, skill in skills.items()}, listing).add_to(app.router)
    return app


class _SkillEndpoints:
    """Responses of one skill."""

    def __init__(self, skill: Skill, limit: int) -> None:
        self.name = skill.name
        self.description = CacheableResponse.from_data(skill.description)
        self._location = skill.location
        self._archive = Archive(skill.name, skill.location, limit) if skill.location else None

    async def contents(self) -> CacheableResponse:
        """Return the list of files."""
        if self._location is None or not await self._location.in_thread(self._location.is_folder):
            raise NotFoundError("the skill has no files")
        files = await self._location.in_thread(self._location.files)
        listing = [
            {"path": file.path, "size": file.size, "type": guess_media_type(file.path) or BYTES} for file in files
        ]
        return CacheableResponse.from_data({"name": self.name, "files": listing})

    async def file(self, path: str) -> CacheableResponse:
        """Return one file."""
        if "\\" in path or "\0" in path or not _NO_PATH.isdisjoint(path.split("/")):
            raise ArgumentError("file", "the path must name a file below the skill's folder")
        if self._location is None:
            raise NotFoundError("the skill has no files")
        return await self._location.in_thread(_read_file, self._location, path)

    async def archive(self) -> CacheableResponse:
        """Return all files as a zip archive."""
        if self._archive is None:
            raise NotFoundError("the skill has no files")
        return await self._archive.response()


def _read_file(location: Location, path: str) -> CacheableResponse:
    return CacheableResponse.from_file(path, location.read(path))


class _Routes:
    """Routes of the list and of each skill."""

    def __init__(self, skills: Mapping[str, _SkillEndpoints], listing: CacheableResponse) -> None:
        self._skills = skills
        self._listing = listing

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes to a router."""
        router.add_get("/skills{slash:/?}", self._list)
        router.add_get("/skills/{name}{slash:/?}", self._describe)
        router.add_get("/skills/{name}/download{slash:/?}", self._download)
        router.add_get("/skills/{name}/contents{slash:/?}", self._list_contents)
        router.add_get("/skills/{name}/contents/{file:.+}", self._get_file)

    def _skill(self, request: web.Request) -> _SkillEndpoints:
        skill = self._skills.get(request.match_info["name"])
        if skill is None:
            raise NotFoundError("unknown skill")
        return skill

    async def _list(self, request: web.Request) -> web.Response:
        return self._listing.response(request)

    async def _describe(self, request: web.Request) -> web.Response:
        return self._skill(request).description.response(request)

    async def _download(self, request: web.Request) -> web.Response:
        return (await self._skill(request).archive()).response(request)

    async def _list_contents(self, request: web.Request) -> web.Response:
        return (await self._skill(request).contents()).response(request)

    async def _get_file(self, request: web.Request) -> web.Response:
        return (await self._skill(request).file(request.match_info["file"])).response(request)
