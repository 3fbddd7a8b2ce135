"""The GraphQL exposer. The library is imported only when the exposer is served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from adapter_host import (
    BuildContext,
    CatalogEntry,
    HttpExposer,
    OperationError,
    Operations,
    curl,
    parse_json,
    parse_location,
)

from .config import GraphqlConfig, PersistedDocumentsSpec
from .fields import compile_fields

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

    from .documents import Documents
    from .service import Service


class GraphqlExposer(HttpExposer[GraphqlConfig]):
    """Exposer for `type: graphql`: operations as fields of `Query` and `Mutation`."""

    config_class = GraphqlConfig
    endpoint = "/graphql"
    decodes_bodies = True

    def __init__(self, config: GraphqlConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if not config.operations:
            context.warn("'operations' is empty; nothing is served", config, "operations", code="empty")
        self.fields = compile_fields(config, operations, context)
        self._declared = _read_declared(config.persisted_documents, context)
        self._documents: Documents | None = None
        self._service: Service | None = None
        if self._declared:
            self._check_declared()

    def build_app(self) -> web.Application:
        """Return the application that serves the endpoint."""
        from .service import Service

        documents = self.compile()
        self._service = Service(documents, self.context.settings.body_limit)
        return self._service.app(self.endpoint)

    def direct_handler(self, request: web.Request) -> Handler | None:
        """Return the handler of requests to the endpoint, which bypass the router."""
        service = self._service
        return service.serve if service is not None and service.serves(request) else None

    def catalog(self) -> Iterable[CatalogEntry]:
        """Return the fields of `Query` and `Mutation`."""
        return [CatalogEntry(f"{field.kind} {field.name}", field.operation) for field in self.fields]

    def usage(self, url: str) -> str:
        """Return a curl command for the names of all queries."""
        command = curl(url, self.config.authentication)
        return f"""{command} -H 'Content-Type: application/json' -d '{{"query": "{{ __typename }}"}}'"""

    def _check_declared(self) -> None:
        """Report the declared documents that are invalid."""
        from .errors import RequestError

        persisted = self.config.persisted_documents
        try:
            self.compile()
        except RequestError as error:
            assert persisted is not None
            self.context.problem(f"{persisted.location}: {error}", persisted, "location", code="persisted-document")

    def compile(self) -> Documents:
        """Build the schema and the declared documents, once; raise `RequestError` for an invalid document."""
        if self._documents is None:
            from .documents import Documents
            from .schema import build_schema

            label = self.context.loaded.capability.label
            schema = build_schema(self.fields, label, self.config.description)
            self._documents = Documents(schema, self.config, self._declared)
        return self._documents


def _read_declared(spec: PersistedDocumentsSpec | None, context: BuildContext) -> Mapping[str, str]:
    """Return the persisted documents by their ids; report a file that is missing or malformed."""
    location = None if spec is None else context.location(spec.location, spec, "location")
    if spec is None or location is None:
        return {}
    document = context.loaded.source.position_of(context.loaded.loc(spec, "location"))[0]
    context.loaded.add_file(str(parse_location(spec.location, document)))
    try:
        declared: Any = parse_json(location.read())
    except OperationError as error:
        context.problem(f"{spec.location}: {error.message}", spec, "location", code="missing-file")
        return {}
    except ValueError:
        declared = None
    if not isinstance(declared, dict) or not all(isinstance(text, str) for text in declared.values()):
        message = f"{spec.location} must be a JSON object of ids and documents"
        context.problem(message, spec, "location", code="persisted-document")
        return {}
    return declared
