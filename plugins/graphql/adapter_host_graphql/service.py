"""Request handling of the GraphQL exposer; imported only when it is served."""

from __future__ import annotations

import logging
from asyncio import iscoroutine
from collections.abc import Awaitable
from typing import Any, Final, TypeGuard

from aiohttp import web
from graphql import ExecutionResult, GraphQLError, OperationType, execute

from adapter_host import (
    ArgumentError,
    UnavailableError,
    UnsupportedCodingError,
    UpstreamInvalidError,
    current_call,
    encode_json,
)

from .documents import Document, Documents
from .errors import BAD_USER_INPUT, INTERNAL, RequestError, code_of, format_field_error
from .requests import GRAPHQL_RESPONSE, JSON, read_request, response_type

log = logging.getLogger("adapter_host.graphql")

_METHODS: Final = "GET, HEAD, POST"


class Service:
    """Serves the endpoint."""

    def __init__(self, documents: Documents, body_limit: int) -> None:
        self._documents = documents
        self._body_limit = body_limit
        self._paths: frozenset[str] = frozenset()

    def app(self, path: str) -> web.Application:
        """Return an application that serves the endpoint at `path` and at its root."""
        app = web.Application()
        # Below a prefix, the empty path is the prefix itself; otherwise it matches no request.
        resources = [app.router.add_resource(each) for each in (path, "/", "")]
        for resource in resources:
            resource.add_route("*", self.serve)

        async def find_paths(_: web.Application) -> None:
            # The prefix of the mount is known only at start-up.
            self._paths = frozenset(resource.canonical for resource in resources)

        app.on_startup.append(find_paths)
        return app

    def serves(self, request: web.Request) -> bool:
        """Return whether a request is one of the endpoint."""
        return request.path in self._paths

    async def serve(self, request: web.Request) -> web.Response:
        """Handle a request."""
        media_type = response_type(request.headers.get("Accept"))
        try:
            if media_type is None:
                message = f"the client must accept {GRAPHQL_RESPONSE} or {JSON}"
                raise RequestError(GraphQLError(message), status=406)
            if request.method not in ("GET", "HEAD", "POST"):
                message = f"method {request.method} is not allowed; use POST"
                raise RequestError(GraphQLError(message), status=405, allow=_METHODS)
            return await self._execute(request, media_type)
        except RequestError as error:
            return _error_response(error, media_type or JSON)
        except ArgumentError as error:
            response = _error_response(RequestError(GraphQLError(error.message), status=error.status), JSON)
            if isinstance(error, UnsupportedCodingError):
                response.headers["Accept-Encoding"] = error.accepted
            return response
        except Exception:  # an error of one request must not affect others, and its text is internal
            request_id = current_call().request_id
            log.exception("request %s: unexpected error", request_id)
            failure = GraphQLError("unexpected error", extensions={"requestId": request_id})
            return _error_response(RequestError(failure, status=500, code=INTERNAL), media_type or JSON)

    async def _execute(self, request: web.Request, media_type: str) -> web.Response:
        read = await read_request(request, self._body_limit)
        document = await self._documents.find(read.query, read.document_id, read.persisted_hash)
        if request.method != "POST":
            _require_query(document, read.operation_name)
        called: set[str | int] = set()
        result = execute(
            self._documents.schema,
            document.ast,
            context_value=called,
            variable_values=read.variables,
            operation_name=read.operation_name,
            is_awaitable=_is_awaitable,
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        if result.data is None and result.errors:
            raise self._documents.request_error(result.errors, document.ast, BAD_USER_INPUT)
        try:
            return _response(result, called, media_type)
        except UpstreamInvalidError as error:
            raise RequestError(GraphQLError(error.message), status=502, code=code_of(error)) from None


def _is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    # Resolvers return coroutines only, and this test is much faster than that of the library.
    return iscoroutine(value)


def _require_query(document: Document, operation_name: str | None) -> None:
    operation = document.operation(operation_name)
    if operation is not None and operation.operation is not OperationType.QUERY:
        message = "GET requests can only execute queries; use POST"
        raise RequestError(GraphQLError(message), status=405, allow="POST")


def _response(result: ExecutionResult, called: set[str | int], media_type: str) -> web.Response:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body = {"errors": [format_field_error(error, called) for error in result.errors], **body}
    response = _json_response(200, body, media_type)
    causes = (error.original_error for error in result.errors or ())
    if any(isinstance(cause, UnavailableError) and cause.retry_after is None for cause in causes):
        response.force_close()
    return response


def _error_response(error: RequestError, media_type: str) -> web.Response:
    # Clients that know only `application/json` take any other status for an error of HTTP.
    status = 200 if error.is_well_formed and media_type == JSON and error.status == 400 else error.status
    response = _json_response(status, {"errors": error.errors}, media_type)
    if error.allow is not None:
        response.headers["Allow"] = error.allow
    return response


def _json_response(status: int, body: dict[str, Any], media_type: str) -> web.Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Type": f"{media_type}; charset=utf-8",
        "Server": "adapter-host",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(status=status, body=encode_json(body), headers=headers)
