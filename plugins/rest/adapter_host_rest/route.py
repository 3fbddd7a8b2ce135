"""The route of one operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from multidict import MultiMapping

from adapter_host import CatalogEntry, Input, Operation, Result

from .arguments import ArgumentReader, parameter_location
from .body_media import BodyMedia
from .caching import Caching
from .config import RestOperationSpec, RestResource
from .declared_responses import DeclaredResponses
from .route_query import Pair, format_query
from .router import Segment, format_path


@dataclass(frozen=True, slots=True)
class Route:
    """One operation at a method and path; `variables` are the inputs of the path's variables, in order.

    A request must have the parameters in `query`. `alternatives` are routes of the same path with other parameters.
    Without `body_media` bodies are JSON.
    """

    resource: RestResource
    spec: RestOperationSpec
    operation: Operation
    segments: tuple[Segment, ...]
    variables: tuple[Input | None, ...]
    argument_reader: ArgumentReader
    caching: Caching
    declared_responses: DeclaredResponses | None = None
    query: tuple[Pair, ...] = ()
    alternatives: list[Route] = field(default_factory=list)
    body_media: BodyMedia | None = None

    def for_query(self, query: MultiMapping[str]) -> Route | None:
        """Return the route with the most parameters that a request has, or None."""
        routes = [route for route in (self, *self.alternatives) if route._accepts(query)]
        return max(routes, key=lambda route: len(route.query), default=None)

    def _accepts(self, query: MultiMapping[str]) -> bool:
        return all(value in query.getall(name, ()) for name, value in self.query)

    def media_type(self, result: Result) -> str:
        """Return the media type to send: the operation's, or else the declared one, or else the result's."""
        if self.declared_responses is None or self.operation.media_type is not None:
            return result.media_type
        return self.declared_responses.media_type(result.status, result.media_type) or result.media_type

    @property
    def title(self) -> str:
        """Return method and path, such as `GET /stations/{id}`."""
        return f"{self.spec.method} {format_path(self.segments)}{format_query(self.query)}"

    @property
    def complexity(self) -> tuple[bool, int]:
        """Return a sort key: GET first, then by the number of required inputs."""
        required = [
            location for parameter, location in self.located_inputs() if parameter.required or location == "path"
        ]
        return self.spec.method != "GET", len(required)

    def located_inputs(self) -> Iterator[tuple[Input, str]]:
        """Yield each input with its location in a request."""
        for parameter in self.operation.inputs:
            yield parameter, parameter_location(parameter, self.spec.method, self.variables)

    def catalog_entry(self) -> CatalogEntry:
        """Return the entry of the catalog."""
        inputs = [
            {
                "name": parameter.name,
                "in": location,
                "type": parameter.type,
                "required": parameter.required,
                "description": parameter.description,
                **({} if parameter.json_schema is None else {"schema": parameter.schema}),
                **({} if parameter.wire is None else parameter.wire.described()),
            }
            for parameter, location in self.located_inputs()
        ]
        return CatalogEntry(self.title, self.operation, {"inputs": inputs})
