"""Routers from URL prefixes to applications, which can be replaced while requests are in flight."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from adapter_host.compiler.http_paths import ORIGIN_ROOT
from adapter_host.settings import Settings

from .connection.requests import HostRequest
from .problem_json import problem_response
from .request_ids import request_id_of


@dataclass(frozen=True, slots=True)
class MountedApp:
    """An application and its access check; handlers of `direct_handler` bypass the application, but not the check.

    `origin_routes` are the handlers of paths at the origin, with their checks.
    """

    app: web.Application
    access: Middleware
    direct_handler: Callable[[web.Request], Handler | None] | None = None
    origin_routes: Mapping[str, Handler] = field(default_factory=dict)


class PrefixRouter(web.AbstractResource):
    """A resource of an outer application that routes requests to applications by prefix.

    aiohttp's own sub-applications are fixed once the outer one runs. These can be replaced at any time; a request in
    flight completes in its application.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root
        self._depth = 0
        self._apps: Mapping[str, MountedApp] = {}

    def mount(self, apps: Mapping[str, MountedApp]) -> None:
        """Replace all applications by `apps`, by prefix; all prefixes must have the same number of segments."""
        self._apps, self._depth = apps, max((prefix.count("/") for prefix in apps), default=0)

    def find_app(self, request: web.Request) -> MountedApp | None:
        """Return the application that is mounted at a request's path."""
        if not self._depth:
            return self._apps.get("")
        depth = self._depth + 1
        return self._apps.get("/".join(request.rel_url.raw_path.split("/", depth)[:depth]))

    @property
    def canonical(self) -> str:
        """The prefix below which aiohttp's router calls `resolve`."""
        return self._root or "/"

    async def resolve(self, request: web.Request) -> Any:
        """Return the match of the mounted application, in aiohttp's form."""
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
        raise RuntimeError("the router has no URL")

    def add_prefix(self, prefix: str) -> None:
        """Raise `RuntimeError`: the prefix is fixed."""
        raise RuntimeError("the prefix is fixed; attach the host to the outermost application")

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
    """Routes that an outer application delegates to the host: one prefix, and paths below `ORIGIN_ROOT`."""

    def __init__(self, root: str) -> None:
        self._exposers = PrefixRouter(root)
        self._origin = PrefixRouter(ORIGIN_ROOT)

    def register(self, app: web.Application) -> None:
        """Add the routes to the outer application."""
        app.router.register_resource(self._origin)
        app.router.register_resource(self._exposers)

    def mount(self, apps: Mapping[str, MountedApp]) -> None:
        """Replace all applications by `apps`; the one at `ORIGIN_ROOT` serves its paths by full path."""
        exposers = dict(apps)
        origin = exposers.pop(ORIGIN_ROOT, None)
        self._origin.mount({"": origin} if origin is not None else {})
        self._exposers.mount(exposers)

    def handler(self, fallback: Handler) -> Callable[[HostRequest], Awaitable[web.StreamResponse]]:
        """Return a handler that uses direct handlers where possible, otherwise `fallback`."""

        async def handle(request: HostRequest) -> web.StreamResponse:
            if request.fault is not None:
                return request.fault.response(request)
            mounted = self._exposers.find_app(request)
            # Only the application responds to `Expect: 100-continue`.
            if mounted is None or mounted.direct_handler is None or hdrs.EXPECT in request.headers:
                return await fallback(request)
            if self._origin.find_app(request) is not None and request.rel_url.raw_path.startswith(ORIGIN_ROOT):
                return await fallback(request)
            handler = mounted.direct_handler(request)
            return await (fallback(request) if handler is None else mounted.access(request, handler))

        return handle


def freeze_at(app: web.Application, prefix: str) -> None:
    """Add `prefix` to the routes of an application, and freeze it."""
    if prefix:
        for resource in list(app.router.resources()):
            app.router.unindex_resource(resource)
            resource.add_prefix(prefix)
            app.router.index_resource(resource)
    app.freeze()


@web.middleware
async def pass_through(request: web.Request, handler: Any) -> web.StreamResponse:
    """Call the handler: without a middleware, an aiohttp application does not run those of mounted ones."""
    response: web.StreamResponse = await handler(request)
    return response


def root_application(router: RootRouter, settings: Settings) -> web.Application:
    """Return the application of a server that serves nothing but a router; the caller freezes it."""
    root = web.Application(middlewares=[pass_through], client_max_size=settings.body_limit)
    router.register(root)
    root.router.add_route("*", "/{path:.*}", _not_found)
    return root


async def _not_found(request: web.Request) -> web.Response:
    return problem_response(404, "no exposer at this path", request_id=request_id_of(request))
