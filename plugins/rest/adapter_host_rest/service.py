"""Requests, from an exposer's routes to their answers: what is needed once it is served, and not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from aiohttp import web

from adapter_host import ABSENT, ArgumentError, NotFoundError, OperationError

from .body import read_json
from .docs.openapi import with_server
from .docs.pages import PAGES, Page, build_pages
from .forward.request import forwarded_arguments
from .forward.routes import METHODS, ForwardRoute, ForwardRouter
from .responses import (
    MethodNotAllowedError,
    allow_header,
    error_response,
    options_response,
    respond,
    respond_forwarded,
    unexpected_error_response,
)
from .route import Route
from .router import Router, split_path

# All of it is one route of aiohttp's, whose router knows no names with `-` and slows down with each path.
_ALL_PATHS: Final = "/{path:[\\s\\S]*}"
_TAIL: Final = len("/{path}")


class Service:
    """Answers requests by routes; what they leave is for the pages."""

    def __init__(
        self, router: Router[Route], forwards: ForwardRouter, describe: Callable[[], Mapping[str, Any]], body_limit: int
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
        mount = app.router.add_resource(_ALL_PATHS)
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
            match = self._find(request.method, path)
            if isinstance(match, web.Response):
                return match
            if isinstance(match, ForwardRoute):
                name = match.operation.name
                result = await match.operation.call(forwarded_arguments(request, path, match))
                return await respond_forwarded(request, result, name)
            route, values = match
            name = route.operation.name
            body = await read_json(request, self._body_limit) if route.argument_reader.reads_body else ABSENT
            result = await route.operation.call(route.argument_reader.read(request, values, body))
            return await respond(request, result, route.media_type(result), name)
        except OperationError as error:
            return error_response(error, name)
        except Exception:  # whatever an operation's plugins raise is that call's failure alone
            return unexpected_error_response(name)

    def _find(self, method: str, path: str) -> tuple[Route, list[str]] | ForwardRoute | web.Response:
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
            return forward if method in METHODS else _method_not_allowed(method, METHODS)
        if targets:
            return _method_not_allowed(method, set(targets))
        return self._page(method, segments)

    def _page(self, method: str, segments: Sequence[str]) -> web.Response:
        """The answer where no route is; a capability's own routes come before the pages."""
        if len(segments) != 1 or segments[0] not in PAGES:
            raise NotFoundError("there is nothing at this path")
        if method not in ("GET", "HEAD"):
            return _method_not_allowed(method, {"GET"})
        # Made when somebody asks: of most exposers nobody does.
        self._pages = self._pages or build_pages(with_server(self._describe(), self._root or "/"))
        return self._pages[segments[0]].response()


def _method_not_allowed(method: str, methods: AbstractSet[str]) -> web.Response:
    allow = allow_header(methods)
    if method == "OPTIONS":
        return options_response(allow)
    raise MethodNotAllowedError(method, allow)
