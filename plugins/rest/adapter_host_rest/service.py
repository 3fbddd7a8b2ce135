"""Request handling of the REST exposer; imported only when it is served."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from aiohttp import web

from adapter_host import ABSENT, ArgumentError, NotFoundError, OperationError, note_call, root_path

from .body import read_json, reject_body
from .body_reader import read_media
from .caching import UNRESTRICTED
from .docs.pages import Pages
from .forward.request import forwarded_arguments
from .forward.routes import METHODS, ForwardRoute, ForwardRouter
from .page_paths import HOME
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
from .route_query import format_query
from .router import Router, format_path, split_path

# One aiohttp route for all paths: its router rejects names with `-`, and slows down with each route.
_ALL_PATHS: Final = "/{path:[\\s\\S]*}"
_TAIL: Final = len("/{path}")
_MOST_LITERAL_ROUTES: Final = 4096


class Service:
    """Dispatches requests to routes, forwards and pages, in this order."""

    def __init__(
        self,
        router: Router[Route],
        forwards: ForwardRouter,
        pages: Pages,
        page_paths: AbstractSet[str],
        body_limit: int,
        public_url: str | None,
    ) -> None:
        self._router = router
        self._forwards = forwards
        self._pages = pages
        self._page_paths = page_paths
        self._body_limit = body_limit
        self._public_url = public_url
        self._literal_routes: dict[tuple[str, str], tuple[Route, list[str]]] = {}
        """The routes without path variables that were found, by method and raw path."""
        # The mount point is known at start.
        self._root = ""

    def app(self) -> web.Application:
        """Return an application that serves everything."""
        app = web.Application(client_max_size=self._body_limit)
        mount = app.router.add_resource(_ALL_PATHS)
        mount.add_route("*", self.serve)

        async def find_root(_: web.Application) -> None:
            self._root = mount.canonical[:-_TAIL]

        app.on_startup.append(find_root)
        return app

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Handle a request."""
        name, caching = "no operation", UNRESTRICTED
        try:
            path = request.rel_url.raw_path[len(self._root) :]
            method = request.method
            match = self._literal_routes.get((method, path)) or self._find(request, path)
            if not isinstance(match, tuple):
                if isinstance(match, web.Response):
                    return match
                if isinstance(match, str):
                    return await self._pages.respond(match, self._public_url or self._url(request))
                name, caching = match.operation.name, match.caching
                result = await match.operation.call(forwarded_arguments(request, path, match))
                return await respond_forwarded(request, result, name, caching)
            route, values = match
            if route.query or route.alternatives:
                route = _for_query(route, request)
            name, caching = route.operation.name, route.caching
            body = ABSENT
            if route.argument_reader.reads_body:
                media = route.body_media
                limit = self._body_limit
                body = await (read_json(request, limit) if media is None else read_media(request, limit, media))
            elif request.can_read_body:
                await reject_body(request, self._body_limit)
            result = await route.operation.call(route.argument_reader.read(request, values, body))
            return await respond(request, result, route.media_type(result), name, caching)
        except OperationError as error:
            return error_response(error, name, caching)
        except Exception:  # a failure of an operation's plugins must not affect other requests
            return unexpected_error_response(name)

    def path_template(self, request: web.Request) -> str | None:
        """Return the path of the route or forward of a request, with the names of its variables; None without one."""
        try:
            found = self._match(request.method, _segments(request.rel_url.raw_path[len(self._root) :]))
        except ArgumentError:
            return None
        if isinstance(found, frozenset):
            return None
        return format_path((found[0] if isinstance(found, tuple) else found).segments)

    def _find(self, request: web.Request, path: str) -> tuple[Route, list[str]] | ForwardRoute | web.Response | str:
        """Return the route and the values of its path, the forward, the response without a call, or the page."""
        segments = _segments(path)
        found = self._match(request.method, segments)
        if isinstance(found, tuple):
            # A path may be written in many ways, so the number is limited.
            if not found[1] and len(self._literal_routes) < _MOST_LITERAL_ROUTES:
                self._literal_routes[request.method, path] = found
            return found
        if isinstance(found, frozenset):
            return _method_not_allowed(request.method, found) if found else self._page(request, segments)
        return found

    def _match(self, method: str, segments: list[str]) -> tuple[Route, list[str]] | ForwardRoute | frozenset[str]:
        """Return the route with its values, or the forward; the methods of the path if it has neither."""
        targets: dict[str, Route] = {}
        # A trailing slash is ignored unless a route has it.
        for candidate in (segments, segments[:-1]) if segments[-1] == "" else (segments,):
            found = self._router.find(method, candidate)
            if found is None and method == "HEAD":
                found = self._router.find("GET", candidate)
            if found is not None:
                return found
            if targets := self._router.targets(candidate):
                break
        forward = self._forwards.find(segments)
        # A declared path takes precedence over forwards of other resources.
        if forward and all(route.resource is forward.resource for route in targets.values()):
            return forward if method in METHODS else METHODS
        return frozenset(targets)

    def _page(self, request: web.Request, segments: Sequence[str]) -> web.Response | str:
        """Return the path of the page where no route is."""
        path = "/".join(segments)
        if path not in self._page_paths or (path == HOME and not _is_browser(request)):
            raise NotFoundError("no route matches this path")
        note_call(path=f"/{path}")
        if request.method not in ("GET", "HEAD"):
            return _method_not_allowed(request.method, {"GET"})
        return path

    def _url(self, request: web.Request) -> str:
        """Return the URL of the exposer for its client, without the origin."""
        return f"{root_path(request)}{self._root}" or "/"


def _is_browser(request: web.Request) -> bool:
    """Return whether a request is that of a page."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")


def _segments(path: str) -> list[str]:
    try:
        return split_path(path)
    except ValueError:
        raise ArgumentError("path", "the path must be percent-encoded UTF-8 without NUL") from None


def _for_query(route: Route, request: web.Request) -> Route:
    selected = route.for_query(request.query)
    if selected is None:
        expected = " or ".join(sorted(format_query(each.query) for each in (route, *route.alternatives)))
        raise NotFoundError(f"no route of this path matches the query; send {expected}")
    return selected


def _method_not_allowed(method: str, methods: AbstractSet[str]) -> web.Response:
    allow = allow_header(methods)
    if method == "OPTIONS":
        return options_response(allow)
    raise MethodNotAllowedError(method, allow)
