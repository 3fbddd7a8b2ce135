"""Serves operations as REST resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final

from aiohttp import web

from adapter_host import (
    ArgumentError,
    ForwardSpec,
    HttpExposer,
    NotFoundError,
    Offer,
    OperationError,
    Operations,
    Provision,
)

from .answers import MethodNotAllowed, allowed, fail, options, pass_back, refuse, respond
from .config import RestConfig, RestOperationSpec, RestResource
from .contract import compile_contract
from .extract import compile_extractor
from .forward import METHODS, Forward, Forwards, parse_forward
from .openapi import describe, served_at
from .pages import Page, pages
from .route import Route
from .router import Router, Segment, parse_path, split_path
from .usage import try_out
from .variables import expand, meet

# All of it is one route of aiohttp's, whose router knows no names with `-` and slows down with each path.
_EVERYTHING: Final = "/{path:[\\s\\S]*}"
_TAIL: Final = len("/{path}")


class RestExposer(HttpExposer[RestConfig]):
    """Serves each operation at the path of its resource."""

    config_class = RestConfig
    streams = True

    def __init__(self, config: RestConfig, operations: Operations, provision: Provision) -> None:
        super().__init__(config, operations, provision)
        self._router: Router[Route] = Router()
        self._routes: list[Route] = []
        self._forwards = Forwards()
        self._pages: dict[str, Page] = {}
        for resource in config.resources:
            self._add_resource(resource)

    def build_app(self) -> web.Application:
        """Its application: everything goes to the routes compiled at build."""
        app = web.Application(client_max_size=self.provision.settings.body_limit)
        mount = app.router.add_resource(_EVERYTHING)
        mount.add_route("*", partial(self._serve, mount))
        document = self._describe()

        async def fill_pages(_: web.Application) -> None:
            # Where it is mounted is known once it starts.
            self._pages = pages(served_at(document, mount.canonical[:-_TAIL] or "/"))

        app.on_startup.append(fill_pages)
        return app

    def openapi(self, url: str) -> dict[str, Any]:
        """The OpenAPI document of its routes."""
        return served_at(self._describe(), url)

    def _describe(self) -> dict[str, Any]:
        return describe(self._routes, self.config, self.provision.declaration.capability)

    def offers(self) -> Iterable[Offer]:
        """Each route, with where a request carries each input; then what is forwarded."""
        return [*(route.offer() for route in self._routes), *(forward.offer() for forward in self._forwards.all)]

    def usage(self, url: str) -> str | None:
        """A curl line for the operation that asks for least."""
        if not self._routes:
            return None
        route = min(self._routes, key=lambda route: route.demands)
        return try_out(url, route, self.config.authentication)

    def _add_resource(self, resource: RestResource) -> None:
        if not resource.operations and resource.forward is None:
            self.provision.warn(f"nothing is served at {resource.path}: it has no operations", resource)
        try:
            segments = parse_path(resource.path)
        except ValueError as error:
            self.provision.problem(f"path '{resource.path}': {error}", resource, "path", code="path")
            return
        for spec in resource.operations:
            if spec in self.operations:
                self._add_operation(resource, spec, segments)
        if resource.forward is not None and resource.forward in self.operations:
            self._add_forward(resource, resource.forward, segments)

    def _add_forward(self, resource: RestResource, spec: ForwardSpec, declared: Sequence[Segment]) -> None:
        try:
            segments, tail = parse_forward(declared)
        except ValueError as error:
            self.provision.problem(f"path '{resource.path}': {error}", resource, "path", code="path")
            return
        for name in (name for each in segments for name in each.variables):
            message = f"path variable '{name}' is not sent on (only what {{path}} takes is)"
            self.provision.warn(message, resource, "path", code="unused-variable")
        settings = self.provision.settings
        operation = self.operations[spec]
        forward = Forward(resource, spec, operation, segments, tail, settings.body_limit, settings.total_timeout)
        present = self._forwards.add(forward)
        if present is not forward:
            self._report_twice(forward, present)

    def _add_operation(self, resource: RestResource, spec: RestOperationSpec, declared: Sequence[Segment]) -> None:
        operation = self.operations[spec]
        segments = expand(declared, operation)
        names = [name for segment in segments for name in segment.variables]
        variables = tuple(meet(name, operation.inputs) for name in names)
        unmet = [name for name, met in zip(names, variables, strict=True) if met is None]
        self._warn_unmet(resource, spec, unmet)
        limit = self.provision.settings.body_limit
        extractor = compile_extractor(spec.method, operation.inputs, variables, limit)
        contract = compile_contract(spec, operation, self.provision)
        route = Route(resource, spec, operation, segments, variables, extractor, contract)
        present = self._router.add(spec.method, segments, route)
        if present is route:
            self._routes.append(route)
        else:
            self._report_twice(route, present)

    def _warn_unmet(self, resource: RestResource, spec: RestOperationSpec, names: Iterable[str]) -> None:
        declared = {declared.name for declared in spec.input_parameters}
        for name in names:
            if name not in declared:
                message = f"path variable '{name}' fills no input of {spec.method} {resource.path}; it is ignored"
                self.provision.warn(message, resource, "path", code="unused-variable")

    def _report_twice(self, route: Route | Forward, present: Route | Forward) -> None:
        declaration = self.provision.declaration
        file, line, column = declaration.source.where(declaration.loc(present.spec))
        message = (
            f"{route.title} is served already by '{present.operation.name}'"
            f" at {file}:{line}:{column} (as {present.title})"
        )
        self.provision.problem(message, route.spec, code="duplicate-route")

    async def _serve(self, mount: web.Resource, request: web.Request) -> web.StreamResponse:
        name = "no operation"
        try:
            path = request.rel_url.raw_path[len(mount.canonical) - _TAIL :]
            found = self._find(request.method, path)
            if isinstance(found, web.Response):
                return found
            if isinstance(found, Forward):
                name = found.operation.name
                result = await found.operation.call(found.arguments(request, path))
                return await pass_back(request, result, name)
            route, values = found
            name = route.operation.name
            arguments = await route.extractor.arguments(request, values)
            result = await route.operation.call(arguments)
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
        page = self._pages.get(segments[0]) if len(segments) == 1 else None
        if page is None:
            raise NotFoundError("there is nothing at this path")
        return page.response() if method in ("GET", "HEAD") else _without_route(method, {"GET"})


def _without_route(method: str, methods: AbstractSet[str]) -> web.Response:
    allow = allowed(methods)
    if method == "OPTIONS":
        return options(allow)
    raise MethodNotAllowed(method, allow)
