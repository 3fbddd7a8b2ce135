"""The REST exposer: builds routes and serves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from adapter_host import (
    Arguments,
    BuildContext,
    CatalogEntry,
    ClientRequest,
    ForwardSpec,
    HttpExposer,
    Included,
    Input,
    Operation,
    Operations,
    Origin,
    Section,
)

from .arguments import compile_argument_reader, parameter_location
from .body_media import compile_body_media
from .caching import compile_caching
from .client_request import build_request
from .config import RestConfig, RestOperationSpec, RestResource
from .curl import curl_command
from .declared_responses import compile_declared_responses
from .docs.openapi import build_document, with_server
from .forward.routes import ForwardRoute, ForwardRouter, parse_forward_path
from .page_paths import application_paths, page_paths
from .path_variables import expand_patterns, match_input
from .route import Route
from .route_query import Pair, split_declared_path
from .router import Router, Segment, format_path, parse_path

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

    from .service import Service

_METHODS_WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})


class RestExposer(HttpExposer[RestConfig]):
    """Serves each operation at the path of its resource."""

    config_class = RestConfig
    includes = ("rest",)
    streams = True
    decodes_bodies = True

    def __init__(self, config: RestConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self._router: Router[Route] = Router()
        self.routes: list[Route] = []
        self.forwards = ForwardRouter()
        self._service: Service | None = None
        self._private = config.authentication is not None
        if not config.resources and not config.x_include:
            context.warn("'resources' is empty; nothing is served", config, "resources", code="empty")
        for resource in config.resources:
            with context.section():
                self._add_resource(resource)
        self._warn_bodiless()
        self._place_application()

    def include(self, included: Sequence[Included]) -> None:
        """Serve the routes of other exposers too."""
        # Imported here, as most exposers include nothing.
        from .inclusion import included_routes

        own = len(self.routes)
        for each in included:
            for route in included_routes(self, each):
                with self.context.section():
                    self._place(route)
        operations = (route.operation for route in self.routes[own:])
        self.operations = Operations([*self.operations.values(), *operations])
        self._place_application()

    def build_app(self) -> web.Application:
        """Return the application that serves the compiled routes."""
        # Imported here because `validate` and `inspect` do not need aiohttp.
        from .docs.pages import Pages, application_page
        from .service import Service

        docs = self.config.x_docs
        application = application_page(docs, self.config.authentication) if self._has_application else None
        pages = Pages(self._describe, application, has_docs=docs != "none")
        self._service = Service(
            self._router,
            self.forwards,
            pages,
            page_paths(docs),
            self.context.settings.body_limit,
            self.declared_public_url,
        )
        return self._service.app()

    def direct_handler(self, request: web.Request) -> Handler | None:
        """Return the handler of all requests below the root."""
        return self._service.serve if self._service is not None else None

    def path_template(self, request: web.Request) -> str | None:
        """Return the path of the route or forward of a request."""
        return self._service.path_template(request) if self._service is not None else None

    def openapi(self, url: str) -> dict[str, Any]:
        """Return the OpenAPI document of the routes."""
        return with_server(self._describe(), url)

    def _describe(self) -> dict[str, Any]:
        return build_document(self.routes, self.config, self.context.loaded.capability)

    def _place_application(self) -> None:
        """Serve the files of the documentation without credentials, but never the path of a route or a forward."""
        paths = application_paths() if self.config.x_docs != "none" else frozenset()
        self._has_application = bool(paths) and not any(map(self._is_declared, paths))
        self.public_paths = frozenset(f"/{path}" for path in paths) if self._has_application else frozenset()

    def _is_declared(self, path: str) -> bool:
        segments = path.split("/")
        return bool(self._router.targets(segments)) or self.forwards.find(segments) is not None

    def catalog(self) -> Iterable[CatalogEntry]:
        """Return the routes with the locations of their inputs, then the forwards."""
        return [
            *(route.catalog_entry() for route in self.routes),
            *(forward.catalog_entry() for forward in self.forwards.all),
        ]

    def usage(self, url: str) -> str | None:
        """Return a curl command for the route that needs the fewest inputs, and the URL of the documentation."""
        if not self.routes:
            return None
        route = min(self.routes, key=lambda route: route.complexity)
        command = curl_command(url, route, self.config.authentication)
        return command if self.config.x_docs == "none" else f"{command}\n# in the browser: {url.rstrip('/')}/docs"

    def client_request(self, operation: Operation, arguments: Arguments, url: str) -> ClientRequest | None:
        """Return the request to the route of an operation; None for a forward."""
        route = next((route for route in self.routes if route.operation is operation), None)
        return None if route is None else build_request(url, route, arguments)

    def _add_resource(self, resource: RestResource) -> None:
        if not resource.operations and resource.forward is None:
            self.context.warn(f"resource '{resource.path}' has no operations; nothing is served there", resource)
        try:
            declared = split_declared_path(resource.path)
            segments = parse_path(declared.path)
        except ValueError as error:
            self.context.problem(f"invalid path '{resource.path}': {error}", resource, "path", code="path")
            return
        if declared.fragment:
            message = f"'{declared.fragment}' is ignored: it is a fragment, which is no part of a request"
            self.context.warn(message, resource, "path", code="fragment")
        for spec in resource.operations:
            if spec in self.operations:
                with self.context.section() as section:
                    self._add_operation(resource, spec, segments, declared.query, section)
        if resource.forward is not None and resource.forward in self.operations:
            with self.context.section():
                self._add_forward(resource, resource.forward, segments)

    def _add_forward(self, resource: RestResource, spec: ForwardSpec, declared: Sequence[Segment]) -> None:
        try:
            segments, tail = parse_forward_path(declared)
        except ValueError as error:
            self.context.problem(f"invalid path '{resource.path}': {error}", resource, "path", code="path")
            return
        for name in (name for each in segments for name in each.variables):
            message = f"path variable '{name}' is not forwarded; only the part that {{path}} matches is"
            self.context.warn(message, resource, "path", code="unused-variable")
        settings = self.context.settings
        operation = self.operations[spec]
        caching = compile_caching("", None, private=self._private)
        forward = ForwardRoute(
            resource, spec, operation, segments, tail, caching, settings.body_limit, settings.total_timeout
        )
        self.context.set_path(operation, format_path(declared))
        existing = self.forwards.add(forward)
        if existing is not forward:
            self._report_duplicate(forward, existing)

    def _add_operation(
        self,
        resource: RestResource,
        spec: RestOperationSpec,
        declared: Sequence[Segment],
        query: tuple[Pair, ...],
        section: Section,
    ) -> None:
        operation = self.operations[spec]
        segments = expand_patterns(declared, operation)
        names = [name for segment in segments for name in segment.variables]
        variables = tuple(match_input(name, operation.inputs) for name in names)
        unmatched = [name for name, matched in zip(names, variables, strict=True) if matched is None]
        self._warn_unmatched(resource, spec, unmatched)
        argument_reader = compile_argument_reader(spec.method, operation.inputs, variables)
        declared_responses = compile_declared_responses(spec, operation, self.context)
        if section.skipped:
            return
        caching = compile_caching(spec.method, argument_reader, private=self._private)
        route = Route(
            resource,
            spec,
            operation,
            segments,
            variables,
            argument_reader,
            caching,
            declared_responses,
            query,
            body_media=compile_body_media(operation, _in_body(operation, spec.method, variables)),
        )
        self.context.set_path(operation, format_path(segments))
        self._place(route)

    def _place(self, route: Route) -> None:
        """Add a route, unless another has its method, path and parameters."""
        existing = self._router.add(route.spec.method, route.segments, route)
        same = [other for other in (existing, *existing.alternatives) if set(other.query) == set(route.query)]
        if existing is route:
            self.routes.append(route)
        elif same:
            self._report_duplicate(route, same[0])
        else:
            existing.alternatives.append(route)
            self.routes.append(route)

    def _warn_unmatched(self, resource: RestResource, spec: RestOperationSpec, names: Iterable[str]) -> None:
        declared = {declared.name for declared in spec.input_parameters}
        for name in names:
            if name not in declared:
                message = f"path variable '{name}' matches no input of {spec.method} {resource.path}; it is ignored"
                self.context.warn(message, resource, "path", code="unused-variable")

    def _warn_bodiless(self) -> None:
        declared = [spec for resource in self.config.resources for spec in resource.operations]
        writes = [route for route in self.routes if route.spec.method in _METHODS_WITH_BODY]
        # A document that declares some bodies has none where it declares none. Operations with errors may have some.
        if len(self.routes) < len(declared) or any(route.argument_reader.reads_body for route in writes):
            return
        for route in writes:
            declares_inputs = "input_parameters" in route.spec.model_fields_set
            if not declares_inputs and not route.argument_reader.reads_outside_path:
                message = f"{route.title} has no input of the body, so a request with a body is rejected"
                self.context.warn(f"{message}; declare one, or 'inputParameters: []'", route.spec, code="no-body")

    def _report_duplicate(self, route: Route | ForwardRoute, existing: Route | ForwardRoute) -> None:
        if route.operation.origin is not None and self._origin(route).spec is self._origin(existing).spec:
            return  # included twice
        other = self._origin(existing)
        place = other.loaded.source.place(other.loaded.loc(other.spec))
        message = f"duplicate route {route.title}; '{existing.operation.name}' serves {existing.title} at {place}"
        self.context.loaded.diagnostics.add(self._origin(route).problem(message, code="duplicate-route"))

    def _origin(self, route: Route | ForwardRoute) -> Origin:
        operation, context = route.operation, self.context
        return operation.origin or Origin(context.site, context.loaded, route.spec, operation.name)


def _in_body(operation: Operation, method: str, variables: Sequence[Input | None]) -> Iterator[Input]:
    return (each for each in operation.inputs if parameter_location(each, method, variables) == "body")
