"""Builds the OpenAPI 3.1 document of an exposer's routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from adapter_host import Authentication, Capability, Input, Operation
from adapter_host_rest.arguments import BODILESS_METHODS
from adapter_host_rest.body_media import BodyMedia, json_media_type
from adapter_host_rest.config import ContentSpec, ResponseSpec, RestConfig
from adapter_host_rest.route import Route
from adapter_host_rest.route_query import Pair

from .components import share_schemas

Data = dict[str, Any]

VERSION: Final = "3.1.0"
_JSON: Final = "application/json"
_PROBLEM_JSON: Final = "application/problem+json"
_SCHEME: Final = "caller"
_STRING: Final = {"type": "string"}
_BYTES: Final = {"type": "string", "format": "binary"}

_PROBLEM: Final[Data] = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": _STRING,
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "request_id": {"type": "string", "description": "Identifies the request in the log."},
        "parameter": {"type": "string", "description": "The invalid parameter."},
        "pointer": {"type": "string", "description": "The JSON Pointer of the place in the body, or in the parameter."},
        "errors": {
            "type": "array",
            "description": "The places, if several are invalid.",
            "items": {
                "type": "object",
                "properties": {"detail": _STRING, "parameter": _STRING, "pointer": _STRING},
                "required": ["detail", "parameter"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "request_id"],
}

_ERRORS: Final = {
    400: ("BadRequest", "An argument is missing or invalid."),
    401: ("Unauthorized", "Credentials are missing or invalid."),
    404: ("NotFound", "Not found."),
    413: ("TooLarge", "The request body is too large."),
    415: ("UnsupportedMediaType", "The request body is not JSON."),
    500: ("InternalError", "Internal error."),
    502: ("BadGateway", "The upstream API is unreachable, or its response is invalid."),
    503: ("Unavailable", "The service is overloaded or shutting down."),
    504: ("GatewayTimeout", "The upstream API did not respond in time."),
}


def build_document(routes: Sequence[Route], config: RestConfig, capability: Capability) -> Data:
    """Return the document without `servers`."""
    description = config.description or capability.info.description
    schemas: Data = {"Problem": _PROBLEM}
    document: Data = {
        "openapi": VERSION,
        "info": {
            "title": capability.label,
            "version": capability.info.version or "unspecified",
            **({"description": description} if description else {}),
        },
        "paths": share_schemas(_Paths(authenticated=config.authentication is not None).build(routes), schemas),
    }
    components: Data = {"schemas": schemas, "responses": dict(_error_responses())}
    if config.authentication is not None:
        components["securitySchemes"] = {_SCHEME: _security_scheme(config.authentication)}
        document["security"] = [{_SCHEME: []}]
    if tags := {tag: route.resource.description for route in routes for tag in _tags(route)}:
        document["tags"] = [{"name": tag, **({"description": text} if text else {})} for tag, text in tags.items()]
    return {**document, "components": components}


def with_server(document: Mapping[str, Any], url: str) -> Data:
    """Return the document with the server at `url`."""
    head = {key: document[key] for key in ("openapi", "info")}
    return {**head, "servers": [{"url": url}], **document}


def _error_responses() -> Iterator[tuple[str, Data]]:
    content = {_PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for name, description in _ERRORS.values():
        yield name, {"description": description, "content": content}


@dataclass(slots=True)
class _Paths:
    """Groups routes by path; paths that differ only in the names of variables are merged."""

    authenticated: bool
    _paths: dict[str, Data] = field(default_factory=dict)
    _shapes: dict[tuple[tuple[tuple[str, ...], ...], tuple[Pair, ...]], Route] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def build(self, routes: Iterable[Route]) -> dict[str, Data]:
        for route in routes:
            shape = tuple(segment.literals for segment in route.segments), route.query
            first_route = self._shapes.setdefault(shape, route)
            entry = self._paths.setdefault(first_route.title.partition(" ")[2], {})
            entry[route.spec.method.lower()] = self._operation(route, first_route)
        return self._paths

    def _operation(self, route: Route, first_route: Route) -> Data:
        operation = route.operation
        text = {"summary": route.spec.label, "description": operation.description}
        names = [name for segment in first_route.segments for name in segment.variables]
        parameters = [*_path_parameters(route, names), *_other_parameters(route)]
        body = _request_body(route)
        return {
            "operationId": self._id(route),
            **{key: value for key, value in text.items() if value},
            **({"tags": tags} if (tags := _tags(route)) else {}),
            **({"parameters": parameters} if parameters else {}),
            **({"requestBody": body} if body else {}),
            "responses": self._responses(route, has_body=body is not None),
        }

    def _id(self, route: Route) -> str:
        name = route.operation.name
        candidates = [name, f"{name}-{route.spec.method.lower()}"]
        operation_id = next((candidate for candidate in candidates if candidate not in self._ids), None)
        number = 2
        while operation_id is None:
            operation_id = f"{name}-{number}" if f"{name}-{number}" not in self._ids else None
            number += 1
        self._ids.add(operation_id)
        return operation_id

    def _responses(self, route: Route, *, has_body: bool) -> Data:
        operation = route.operation
        # A response keeps the upstream's status; without an upstream it is always 200.
        success = "2XX" if operation.upstream else "200"
        declared = route.declared_responses.responses if route.declared_responses else {}
        codes = [500, 503]
        codes += [400] if operation.inputs else []
        codes += [401] if self.authenticated else []
        codes += [404] if route.variables else []
        codes += [413, 415] if has_body else []
        codes += [502, 504] if operation.upstream else []
        responses: Data = {
            code: _declared_response(code, declared[code], operation) for code in declared if code[0] == "2"
        }
        responses = responses or {success: _default_success(route)}
        responses |= {str(code): {"$ref": f"#/components/responses/{_ERRORS[code][0]}"} for code in sorted(codes)}
        if operation.upstream:
            responses["default"] = {"description": "Error response of the upstream API, unchanged."}
        return responses | {code: _declared_response(code, response, operation) for code, response in declared.items()}


def _tags(route: Route) -> list[str]:
    """Return the declared tags, or else the label or name of the resource."""
    if declared := [*route.resource.tags, *route.spec.tags]:
        return list(dict.fromkeys(declared))
    name = route.resource.label or route.resource.name
    return [name] if name else []


def _default_success(route: Route) -> Data:
    operation = route.operation
    if operation.binary:
        media_type = operation.media_type or "*/*"
        return {"description": "Response of the upstream API, as bytes.", "content": {media_type: {"schema": _BYTES}}}
    if operation.output_schema is not None:
        media_type = operation.media_type or _JSON
        return {"description": "Successful response.", "content": {media_type: {"schema": operation.output_schema}}}
    if operation.identity:
        media_type = operation.media_type or "*/*"
        return {"description": "Response of the upstream API, unchanged.", "content": {media_type: {}}}
    return {"description": "Successful response.", "content": {_JSON: {}}}


def _declared_response(code: str, response: ResponseSpec, operation: Operation) -> Data:
    """Return a declared response; the operation's media type takes precedence for bytes."""
    phrase = next((status.phrase for status in HTTPStatus if str(status.value) == code), "Successful response.")
    content = {
        (spec.binary and operation.media_type) or media_type: _content(spec)
        for media_type, spec in response.content.items()
    }
    return {"description": response.description or phrase, **({"content": content} if content else {})}


def _content(content: ContentSpec) -> Data:
    schema = _BYTES if content.binary else content.schema_
    return {"schema": schema} if schema else {}


def _path_parameters(route: Route, names: Sequence[str]) -> Iterator[Data]:
    for name, parameter in zip(names, route.variables, strict=True):
        yield _parameter(name, "path", parameter or Input(name), required=True)


def _other_parameters(route: Route) -> Iterator[Data]:
    for parameter, location in route.located_inputs():
        if location in ("query", "header", "cookie"):
            yield _parameter(parameter.request_name, location, parameter, required=parameter.required)


def _parameter(name: str, location: str, parameter: Input, *, required: bool) -> Data:
    schema = _schema(parameter)
    # Structured values are sent as JSON, except arrays in the query, which are repeated values.
    content_type = _JSON if parameter.type == "object" or (parameter.type == "array" and location != "query") else None
    style: Data = {}
    if (wire := parameter.wire) is not None and (wire.style or wire.content_type):
        content_type = wire.content_type
        # OpenAPI 3.1 has no style `cookie`.
        style = {} if wire.style == "cookie" else wire.described()
    return {
        "name": name,
        "in": location,
        **({"description": parameter.description} if parameter.description else {}),
        **({"required": True} if required else {}),
        **style,
        **({"content": {content_type: {"schema": schema}}} if content_type else {"schema": schema}),
    }


def _schema(parameter: Input) -> Data:
    schema = {key: value for key, value in parameter.schema.items() if key != "description"}
    # A parameter without a type is text.
    return schema if "type" in schema or parameter.json_schema is not None else {**schema, **_STRING}


def _request_body(route: Route) -> Data | None:
    body_inputs = [parameter for parameter, location in route.located_inputs() if location == "body"]
    if not body_inputs or (
        route.spec.method in BODILESS_METHODS and not any(parameter.whole for parameter in body_inputs)
    ):
        return None
    whole = next((parameter for parameter in body_inputs if parameter.whole), None)
    fields = [parameter for parameter in body_inputs if not parameter.whole]
    schema: Data = {key: value for key, value in (whole.schema if whole else {}).items() if key != "description"}
    if fields:
        properties = {field.request_name: field.schema for field in fields}
        schema |= {"type": "object", "properties": {**schema.get("properties", {}), **properties}}
        if required := [field.request_name for field in fields if field.required]:
            schema["required"] = [*schema.get("required", ()), *required]
    return {
        **({"description": whole.description} if whole and whole.description else {}),
        **({"required": True} if any(parameter.required for parameter in body_inputs) else {}),
        "content": {
            **_own_content(route.body_media, schema),
            # Every type of JSON is accepted.
            **{media_type: {"schema": schema} for media_type in (json_media_type(route.operation), _JSON)},
        },
    }


def _own_content(media: BodyMedia | None, schema: Data) -> Data:
    """Return the content in the media type of the consumed API, if that is not JSON."""
    if media is None:
        return {}
    if media.text is not None:
        return {media.media_type: {"schema": {**_STRING, **schema["properties"][media.text]}}}
    if not media.is_form:
        return {media.media_type: {"schema": _BYTES}}
    fields = [each.parameter for each in media.fields]
    encoding = {field.request_name: encoded for field in fields if (encoded := _encoding(field))}
    # Files are bytes there, not base64 text as in JSON.
    files = {field.request_name: _file_schema(field) for field in fields if field.wire and field.wire.binary}
    schema = {**schema, "properties": {**schema["properties"], **files}} if files else schema
    return {media.media_type: {"schema": schema, **({"encoding": encoding} if encoding else {})}}


def _file_schema(field: Input) -> Data:
    description = {"description": field.description} if field.description else {}
    return {**field.schema, "items": _BYTES} if field.type == "array" else {**_BYTES, **description}


def _encoding(field: Input) -> Data:
    if field.wire is None:
        return {}
    return field.wire.described() or ({"contentType": field.wire.content_type} if field.wire.content_type else {})


def _security_scheme(authentication: Authentication) -> Data:
    match authentication.type:
        case "apikey":
            return {"type": "apiKey", "name": authentication.key or "", "in": authentication.placement}
        case "oauth2":
            scopes = f" with scopes {', '.join(authentication.scopes)}" if authentication.scopes else ""
            description = f"Token issued by {authentication.authorization_server_uri}{scopes}."
            return {"type": "http", "scheme": "bearer", "description": description}
        case "mutualtls":
            return {"type": "mutualTLS"}
        case scheme:
            return {"type": "http", "scheme": scheme}
