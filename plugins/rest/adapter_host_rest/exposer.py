"""Serves operations as REST resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from adapter_host import BuildContext, CatalogEntry, ForwardSpec, HttpExposer, Operations

from .arguments import compile_extractor
from .config import RestConfig, RestOperationSpec, RestResource
from .curl import try_out
from .declared_responses import compile_contract
from .docs.openapi import describe, served_at
from .forward.routes import Forward, Forwards, parse_forward
from .path_variables import expand, meet
from .route import Route
from .router import Router, Segment, parse_path

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

    from .service import Service


class RestExposer(HttpExposer[RestConfig]):
    """Serves each operation at the path of its resource."""

    config_class = RestConfig
    streams = True

    def __init__(self, config: RestConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self._router: Router[Route] = Router()
        self._routes: list[Route] = []
        self._forwards = Forwards()
        self._service: Service | None = None
        for resource in config.resources:
            self._add_resource(resource)

    def build_app(self) -> web.Application:
        """Its application: everything goes to the routes compiled at build."""
        # Imported here, with aiohttp: `validate` and `inspect` do without.
        from .service import Service

        self._service = Service(self._router, self._forwards, self._describe, self.context.settings.body_limit)
        return self._service.app()

    def direct_handler(self, request: web.Request) -> Handler | None:
        """The routes answer everything below the root."""
        return self._service.serve if self._service is not None else None

    def openapi(self, url: str) -> dict[str, Any]:
        """The OpenAPI document of its routes."""
        return served_at(self._describe(), url)

    def _describe(self) -> dict[str, Any]:
        return describe(self._routes, self.config, self.context.loaded.capability)

    def catalog(self) -> Iterable[CatalogEntry]:
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
            self.context.warn(f"nothing is served at {resource.path}: it has no operations", resource)
        try:
            segments = parse_path(resource.path)
        except ValueError as error:
            self.context.problem(f"path '{resource.path}': {error}", resource, "path", code="path")
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
            self.context.problem(f"path '{resource.path}': {error}", resource, "path", code="path")
            return
        for name in (name for each in segments for name in each.variables):
            message = f"path variable '{name}' is not sent on (only what {{path}} takes is)"
            self.context.warn(message, resource, "path", code="unused-variable")
        settings = self.context.settings
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
        extractor = compile_extractor(spec.method, operation.inputs, variables)
        contract = compile_contract(spec, operation, self.context)
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
                self.context.warn(message, resource, "path", code="unused-variable")

    def _report_twice(self, route: Route | Forward, present: Route | Forward) -> None:
        loaded = self.context.loaded
        file, line, column = loaded.source.where(loaded.loc(present.spec))
        message = (
            f"{route.title} is served already by '{present.operation.name}'"
            f" at {file}:{line}:{column} (as {present.title})"
        )
        self.context.problem(message, route.spec, code="duplicate-route")
