"""Which application serves which prefix, exchanged while requests go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web
from yarl import URL

from .places import WELL_KNOWN


class Switch(web.AbstractResource):
    """A resource of an outer application that hands requests to the application mounted at their prefix.

    aiohttp's own sub-applications are fixed once the outer one runs; here what is mounted may be replaced at any time,
    and a request in progress stays with the application that took it.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root
        self._depth = 0
        self._mounted: Mapping[str, web.Application] = {}

    def mount(self, apps: Mapping[str, web.Application]) -> None:
        """Replace everything by `apps`, by prefix; all prefixes are as deep as each other."""
        self._mounted, self._depth = apps, max((prefix.count("/") for prefix in apps), default=0)

    @property
    def canonical(self) -> str:
        """Where aiohttp's router begins to ask it."""
        return self._root or "/"

    async def resolve(self, request: web.Request) -> Any:
        """The match of the mounted application, as aiohttp wants it from a resource."""
        depth = self._depth + 1
        app = self._mounted.get("/".join(request.rel_url.raw_path.split("/", depth)[:depth]))
        if app is None:
            return None, set()
        match = await app.router.resolve(request)
        if isinstance(match.http_exception, web.HTTPNotFound):
            return None, set()
        match.add_app(app)
        return match, set()

    def url_for(self, **kwargs: str) -> URL:
        """It has none."""
        raise RuntimeError("a switch has no URL of its own")

    def add_prefix(self, prefix: str) -> None:
        """It has one already."""
        raise RuntimeError("a switch stays where it was put: attach the host to the outermost application")

    def get_info(self) -> Any:
        """What aiohttp shows of it."""
        return {"prefix": self._root}

    def raw_match(self, path: str) -> bool:
        """It equals no path."""
        return False

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Entrance:
    """All that an outer application hands to the host: what is below a root, and what describes it, where all look."""

    def __init__(self, root: str) -> None:
        self._below = Switch(root)
        self._described = Switch(WELL_KNOWN)

    def register(self, app: web.Application) -> None:
        """Make it part of the outer application."""
        app.router.register_resource(self._described)
        app.router.register_resource(self._below)

    def mount(self, apps: Mapping[str, web.Application]) -> None:
        """Replace everything by `apps`, by prefix; that of `WELL_KNOWN` has the descriptions, by their whole paths."""
        below = dict(apps)
        description = below.pop(WELL_KNOWN, None)
        self._described.mount({"": description} if description is not None else {})
        self._below.mount(below)


def prepare(app: web.Application, prefix: str) -> None:
    """Make an application ready to be mounted at `prefix`: its routes know where they stand, and it is frozen."""
    if prefix:
        for resource in list(app.router.resources()):
            app.router.unindex_resource(resource)
            resource.add_prefix(prefix)
            app.router.index_resource(resource)
    app.freeze()


@web.middleware
async def pass_through(request: web.Request, handler: Any) -> web.StreamResponse:
    """Nothing: an outer application without middlewares would not run those of what is mounted in it."""
    response: web.StreamResponse = await handler(request)
    return response
