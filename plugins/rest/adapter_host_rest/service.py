"""Requests, from an exposer's routes to their answers: what is needed once it is served, and not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from aiohttp import web

from adapter_host import ABSENT, ArgumentError, NotFoundError, OperationError

from .body import read_json
from .docs.openapi import served_at
from .docs.pages import PAGES, Page, pages
from .forward.request import passed_on
from .forward.routes import METHODS, Forward, Forwards
from .responses import MethodNotAllowed, allowed, fail, options, pass_back, refuse, respond
from .route import Route
from .router import Router, split_path

# All of it is one route of aiohttp's, whose router knows no names with `-` and slows down with each path.
_EVERYTHING: Final = "/{path:[\\s\\S]*}"
_TAIL: Final = len("/{path}")


class Service:
    """Answers requests by routes; what they leave is for the pages."""

    def __init__(
        self, router: Router[Route], forwards: Forwards, describe: Callable[[], Mapping[str, Any]], body_limit: int
    ) -> None:
        self._router = router
        self._forwards = forwards
        self._describe = describe
        self._body_limit = body_limit
        self._pages: dict[str, Page] = {}
        # Where it is mounted is known once it starts.
        self._root = ""

    def app(self) -> web.Application:
        """An application of it alone."""
        app = web.Application(client_max_size=self._body_limit)
        mount = app.router.add_resource(_EVERYTHING)
        mount.add_route("*", self.serve)

        async def find_root(_: web.Application) -> None:
            self._root = mount.canonical[:-_TAIL]

        app.on_startup.append(find_root)
        return app

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        name = "no operation"
        try:
            path = request.rel_url.raw_path[len(self._root) :]
            found = self._find(request.method, path)
            if isinstance(found, web.Response):
                return found
            if isinstance(found, Forward):
                name = found.operation.name
                result = await found.operation.call(passed_on(request, path, found))
                return await pass_back(request, result, name)
            route, values = found
            name = route.operation.name
            body = await read_json(request, self._body_limit) if route.extractor.reads_body else ABSENT
            result = await route.operation.call(route.extractor.arguments(request, values, body))
            return await respond(request, result, route.media_type(result), name)
        except OperationError as error:
            return refuse(error, name)
        except Exception:  # whatever an operation's plugins raise is that call's failure alone
            return fail(name)

    def _find(self, method: str, path: str) -> tuple[Route, list[str]] | Forward | web.Response:
        try:
            segments = split_path(path)
        except ValueError:
            raise ArgumentError("path", "the path must be percent-encoded UTF-8 without NUL") from None
        served = "GET" if method == "HEAD" else method
        targets: dict[str, Route] = {}
        # A path with a slash too many is served as if it had none, unless something stands at it.
        for candidate in (segments, segments[:-1]) if segments[-1] == "" else (segments,):
            found = self._router.find(served, candidate)
            if found is not None:
                return found
            if targets := self._router.targets(candidate):
                break
        forward = self._forwards.find(segments)
        # A declared resource has its path for itself, but what it forwards itself.
        if forward and all(route.resource is forward.resource for route in targets.values()):
            return forward if method in METHODS else _without_route(method, METHODS)
        if targets:
            return _without_route(method, set(targets))
        return self._page(method, segments)

    def _page(self, method: str, segments: Sequence[str]) -> web.Response:
        """The answer where no route is; a capability's own routes come before the pages."""
        if len(segments) != 1 or segments[0] not in PAGES:
            raise NotFoundError("there is nothing at this path")
        if method not in ("GET", "HEAD"):
            return _without_route(method, {"GET"})
        # Made when somebody asks: of most exposers nobody does.
        self._pages = self._pages or pages(served_at(self._describe(), self._root or "/"))
        return self._pages[segments[0]].response()


def _without_route(method: str, methods: AbstractSet[str]) -> web.Response:
    allow = allowed(methods)
    if method == "OPTIONS":
        return options(allow)
    raise MethodNotAllowed(method, allow)
