"""Which application serves which prefix, exchanged while requests go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from adapter_host.auth.oauth2.metadata import WELL_KNOWN


@dataclass(frozen=True, slots=True)
class MountedApp:
    """An application at its prefix; a request that `shortcut` has a handler for passes `access` only."""

    app: web.Application
    access: Middleware
    shortcut: Callable[[web.Request], Handler | None] | None = None


class PrefixRouter(web.AbstractResource):
    """A resource of an outer application that hands requests to the application mounted at their prefix.

    aiohttp's own sub-applications are fixed once the outer one runs; here what is mounted may be replaced at any time,
    and a request in progress stays with the application that took it.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root
        self._depth = 0
        self._apps: Mapping[str, MountedApp] = {}

    def mount(self, apps: Mapping[str, MountedApp]) -> None:
        """Replace everything by `mounted`, by prefix; all prefixes are as deep as each other."""
        self._apps, self._depth = apps, max((prefix.count("/") for prefix in apps), default=0)

    def find_app(self, request: web.Request) -> MountedApp | None:
        """Return the application that is mounted at a request's path."""
        if not self._depth:
            return self._apps.get("")
        depth = self._depth + 1
        return self._apps.get("/".join(request.rel_url.raw_path.split("/", depth)[:depth]))

    @property
    def canonical(self) -> str:
        """Where aiohttp's router begins to ask it."""
        return self._root or "/"

    async def resolve(self, request: web.Request) -> Any:
        """Return the match of the mounted application, as aiohttp wants it from a resource."""
        mounted = self.find_app(request)
        if mounted is None:
            return None, set()
        match = await mounted.app.router.resolve(request)
        if isinstance(match.http_exception, web.HTTPNotFound):
            return None, set()
        match.add_app(mounted.app)
        return match, set()

    def url_for(self, **kwargs: str) -> URL:
        """Raise `RuntimeError`: the resource has no URL."""
        raise RuntimeError("a switch has no URL of its own")

    def add_prefix(self, prefix: str) -> None:
        """Raise `RuntimeError`: the prefix is fixed."""
        raise RuntimeError("a switch stays where it was put: attach the host to the outermost application")

    def get_info(self) -> Any:
        """Return aiohttp's description of the resource."""
        return {"prefix": self._root}

    def raw_match(self, path: str) -> bool:
        """Return False: the resource matches by prefix only."""
        return False

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class RootRouter:
    """All that an outer application hands to the host: what is below a root, and what describes it, where all look."""

    def __init__(self, root: str) -> None:
        self._exposers = PrefixRouter(root)
        self._metadata = PrefixRouter(WELL_KNOWN)

    def register(self, app: web.Application) -> None:
        """Make it part of the outer application."""
        app.router.register_resource(self._metadata)
        app.router.register_resource(self._exposers)

    def mount(self, apps: Mapping[str, MountedApp]) -> None:
        """Replace everything by `mounted`; that of `WELL_KNOWN` has the descriptions, by their whole paths."""
        exposers = dict(apps)
        metadata = exposers.pop(WELL_KNOWN, None)
        self._metadata.mount({"": metadata} if metadata is not None else {})
        self._exposers.mount(exposers)

    def handler(self, fallback: Handler) -> Handler:
        """Return a handler that takes the shortcuts there are; `fallback` is the outer application's."""

        async def handle(request: web.Request) -> web.StreamResponse:
            mounted = self._exposers.find_app(request)
            # A client that waits for leave to send its body gets it from the application.
            if mounted is None or mounted.shortcut is None or hdrs.EXPECT in request.headers:
                return await fallback(request)
            if self._metadata.find_app(request) is not None and request.rel_url.raw_path.startswith(WELL_KNOWN):
                return await fallback(request)
            handler = mounted.shortcut(request)
            return await (fallback(request) if handler is None else mounted.access(request, handler))

        return handle


def freeze_at(app: web.Application, prefix: str) -> None:
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
