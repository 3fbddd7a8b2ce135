"""Read requests of GraphQL over HTTP, and negotiate the media type of responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiohttp import web
from graphql import GraphQLError

from adapter_host import NestingError, bare_media_type, charset_of, parse_json, read_body

from .errors import RequestError

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
JSON: Final = "application/json"

_TEXTS: Final = ("query", "operationName", "documentId")
_OBJECTS: Final = ("variables", "extensions")


@dataclass(frozen=True, slots=True)
class GraphqlRequest:
    """The parameters of a request; `persisted_hash` is that of an automatic persisted query."""

    query: str | None
    operation_name: str | None
    document_id: str | None
    variables: dict[str, Any]
    persisted_hash: str | None


async def read_request(request: web.Request, body_limit: int) -> GraphqlRequest:
    """Return the parameters of a GET or POST request; raise `RequestError` or `ArgumentError`."""
    if request.method in ("GET", "HEAD"):
        return _parse({name: _query_value(name, value) for name, value in request.query.items()})
    content_type = request.headers.get("Content-Type", "")
    # Forms and text can be sent by any web page without the consent of the server.
    if bare_media_type(content_type) != JSON:
        raise RequestError(GraphQLError("the body must be application/json; set Content-Type"), status=415)
    body = await read_body(request, body_limit)
    if charset_of(body, content_type) is not None:
        raise RequestError(GraphQLError("the body must be UTF-8"), status=415)
    return _parse(_parse_json(body, "the body"))


def _query_value(name: str, value: str) -> Any:
    return _parse_json(value, f"'{name}'") if name in _OBJECTS and value else value


def _parse_json(text: str | bytes, subject: str) -> Any:
    try:
        return parse_json(text)
    except NestingError as error:
        raise RequestError(GraphQLError(f"{subject} is {error}")) from None
    except ValueError:
        raise RequestError(GraphQLError(f"{subject} must be JSON")) from None


def _parse(parameters: Any) -> GraphqlRequest:
    if not isinstance(parameters, Mapping):
        raise RequestError(GraphQLError("the body must be one JSON object; batches are not supported"))
    for names, expected, description in ((_TEXTS, str, "a text"), (_OBJECTS, dict, "an object")):
        for name in names:
            if not isinstance(parameters.get(name), expected | None):
                raise RequestError(GraphQLError(f"'{name}' must be {description}"))
    query, document_id = parameters.get("query") or None, parameters.get("documentId")
    persisted_hash = _persisted_hash((parameters.get("extensions") or {}).get("persistedQuery"))
    if query is None and document_id is None and persisted_hash is None:
        raise RequestError(GraphQLError("'query' is missing"))
    if query is not None and document_id is not None:
        raise RequestError(GraphQLError("'query' and 'documentId' are mutually exclusive"))
    operation_name = parameters.get("operationName") or None
    return GraphqlRequest(query, operation_name, document_id, parameters.get("variables") or {}, persisted_hash)


def _persisted_hash(persisted: Any) -> str | None:
    if persisted is None:
        return None
    value = persisted.get("sha256Hash") if isinstance(persisted, Mapping) else None
    if not isinstance(value, str) or persisted.get("version") != 1:
        message = "'extensions.persistedQuery' must have 'version' 1 and a text 'sha256Hash'"
        raise RequestError(GraphQLError(message))
    return value.lower()


@lru_cache(maxsize=256)
def response_type(accept: str | None) -> str | None:
    """Return the media type of a response for an Accept header (RFC 9110, section 12.5.1); None if there is none.

    Of two that are equally acceptable, the first one is; without a preference it is `application/json`.
    """
    if not accept or not accept.strip():
        return JSON
    best, best_quality = None, 0.0
    for entry in accept.split(",")[:100]:
        media_type, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = _quality(parameters)
        offered = {GRAPHQL_RESPONSE: GRAPHQL_RESPONSE, JSON: JSON, "*/*": JSON, "application/*": JSON}.get(media_type)
        if offered is not None and quality > best_quality:
            best, best_quality = offered, quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
