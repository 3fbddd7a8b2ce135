"""The OpenAPI 3.1 document of an exposer's routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from adapter_host import Authentication, Capability, Input, Operation
from adapter_host_rest.arguments import BODILESS
from adapter_host_rest.config import ContentSpec, ResponseSpec, RestConfig
from adapter_host_rest.route import Route

Data = dict[str, Any]

VERSION: Final = "3.1.0"
_JSON: Final = "application/json"
_PROBLEM_JSON: Final = "application/problem+json"
_SCHEME: Final = "caller"
_STRING: Final = {"type": "string"}
_BYTES: Final = {"type": "string", "format": "binary"}

_PROBLEM: Final[Data] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": _STRING,
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "request_id": {"type": "string", "description": "It joins the answer with its line in the log."},
        "parameter": {"type": "string", "description": "The parameter that is to blame."},
    },
    "required": ["type", "title", "status", "detail", "request_id"],
}

_ERRORS: Final = {
    400: ("BadRequest", "An argument is missing or wrong."),
    401: ("Unauthorized", "The request does not say who sends it, or not rightly."),
    404: ("NotFound", "There is no such thing."),
    413: ("TooLarge", "The body is too large."),
    415: ("UnsupportedMediaType", "The body is not JSON, and says so."),
    500: ("InternalError", "A mistake of the host's own."),
    502: ("BadGateway", "The API behind cannot be reached, or not understood."),
    503: ("Unavailable", "No call is taken now."),
    504: ("GatewayTimeout", "The API behind did not answer in time."),
}


def describe(routes: Sequence[Route], config: RestConfig, capability: Capability) -> Data:
    """The document, without the servers."""
    description = config.description or capability.info.description
    document: Data = {
        "openapi": VERSION,
        "info": {
            "title": capability.label,
            "version": capability.info.version or "unspecified",
            **({"description": description} if description else {}),
        },
        "paths": _Paths(authenticated=config.authentication is not None).of(routes),
    }
    components: Data = {"schemas": {"Problem": _PROBLEM}, "responses": dict(_responses())}
    if config.authentication is not None:
        components["securitySchemes"] = {_SCHEME: _security_scheme(config.authentication)}
        document["security"] = [{_SCHEME: []}]
    if tags := {tag: route.resource.description for route in routes for tag in _tags(route)}:
        document["tags"] = [{"name": tag, **({"description": said} if said else {})} for tag, said in tags.items()]
    return {**document, "components": components}


def served_at(document: Mapping[str, Any], url: str) -> Data:
    """The document with the server that it is served by."""
    head = {key: document[key] for key in ("openapi", "info")}
    return {**head, "servers": [{"url": url}], **document}


def _responses() -> Iterator[tuple[str, Data]]:
    content = {_PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for name, description in _ERRORS.values():
        yield name, {"description": description, "content": content}


@dataclass(slots=True)
class _Paths:
    """Puts routes under their paths: those of one shape under one, whatever each calls its variables."""

    authenticated: bool
    _paths: dict[str, Data] = field(default_factory=dict)
    _shapes: dict[tuple[tuple[str, ...], ...], Route] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def of(self, routes: Iterable[Route]) -> dict[str, Data]:
        for route in routes:
            first = self._shapes.setdefault(tuple(segment.literals for segment in route.segments), route)
            entry = self._paths.setdefault(first.title.partition(" ")[2], {})
            entry[route.spec.method.lower()] = self._operation(route, first)
        return self._paths

    def _operation(self, route: Route, first: Route) -> Data:
        operation = route.operation
        said = {"summary": route.spec.label, "description": operation.description}
        names = [name for segment in first.segments for name in segment.variables]
        parameters = [*_path_parameters(route, names), *_other_parameters(route)]
        body = _request_body(route)
        return {
            "operationId": self._id(route),
            **{key: value for key, value in said.items() if value},
            **({"tags": tags} if (tags := _tags(route)) else {}),
            **({"parameters": parameters} if parameters else {}),
            **({"requestBody": body} if body else {}),
            "responses": self._answers(route, has_body=body is not None),
        }

    def _id(self, route: Route) -> str:
        name = route.operation.name
        candidates = [name, f"{name}-{route.spec.method.lower()}"]
        found = next((each for each in candidates if each not in self._ids), None)
        number = 2
        while found is None:
            found = f"{name}-{number}" if f"{name}-{number}" not in self._ids else None
            number += 1
        self._ids.add(found)
        return found

    def _answers(self, route: Route, *, has_body: bool) -> Data:
        operation = route.operation
        # An answer keeps the status that the API behind gives it; one without an API has but one.
        success = "2XX" if operation.upstream else "200"
        declared = route.contract.responses if route.contract else {}
        codes = [500, 503]
        codes += [400] if operation.inputs else []
        codes += [401] if self.authenticated else []
        codes += [404] if route.variables else []
        codes += [413, 415] if has_body else []
        codes += [502, 504] if operation.upstream else []
        answers: Data = {code: _declared(code, declared[code], operation) for code in declared if code[0] == "2"}
        answers = answers or {success: _success(route)}
        answers |= {str(code): {"$ref": f"#/components/responses/{_ERRORS[code][0]}"} for code in sorted(codes)}
        if operation.upstream:
            answers["default"] = {"description": "An error of the API behind, as it came."}
        return answers | {code: _declared(code, response, operation) for code, response in declared.items()}


def _tags(route: Route) -> list[str]:
    """The tags of the document, or what the resource is called."""
    if declared := [*route.resource.tags, *route.spec.tags]:
        return list(dict.fromkeys(declared))
    name = route.resource.label or route.resource.name
    return [name] if name else []


def _success(route: Route) -> Data:
    operation = route.operation
    if operation.binary:
        told = operation.media_type or "*/*"
        return {"description": "The answer of the API behind, in bytes.", "content": {told: {"schema": _BYTES}}}
    if operation.output_schema is not None:
        told = operation.media_type or _JSON
        return {"description": "The answer.", "content": {told: {"schema": operation.output_schema}}}
    if operation.identity:
        told = operation.media_type or "*/*"
        return {"description": "The answer of the API behind, as it came.", "content": {told: {}}}
    return {"description": "The answer.", "content": {_JSON: {}}}


def _declared(code: str, response: ResponseSpec, operation: Operation) -> Data:
    """An answer of the contract; bytes are told to be what the operation says, if it does."""
    phrase = next((each.phrase for each in HTTPStatus if str(each.value) == code), "The answer.")
    content = {
        (each.binary and operation.media_type) or media_type: _content(each)
        for media_type, each in response.content.items()
    }
    return {"description": response.description or phrase, **({"content": content} if content else {})}


def _content(content: ContentSpec) -> Data:
    schema = _BYTES if content.binary else content.schema_
    return {"schema": schema} if schema else {}


def _path_parameters(route: Route, names: Sequence[str]) -> Iterator[Data]:
    for name, source in zip(names, route.variables, strict=True):
        yield _parameter(name, "path", source or Input(name), required=True)


def _other_parameters(route: Route) -> Iterator[Data]:
    for source, place in route.places():
        if place in ("query", "header", "cookie"):
            yield _parameter(source.name, place, source, required=source.required)


def _parameter(name: str, place: str, source: Input, *, required: bool) -> Data:
    schema = _schema(source)
    # What is no plain text is JSON there, but for a query's repeated values.
    as_json = source.type == "object" or (source.type == "array" and place != "query")
    return {
        "name": name,
        "in": place,
        **({"description": source.description} if source.description else {}),
        **({"required": True} if required else {}),
        **({"content": {_JSON: {"schema": schema}}} if as_json else {"schema": schema}),
    }


def _schema(source: Input) -> Data:
    schema = {key: value for key, value in source.schema.items() if key != "description"}
    # A parameter of no declared type is text; so is every one that a path carries.
    return schema if "type" in schema else {**schema, **_STRING}


def _request_body(route: Route) -> Data | None:
    carried = [source for source, place in route.places() if place == "body"]
    if not carried or (route.spec.method in BODILESS and not any(source.whole for source in carried)):
        return None
    whole = next((source for source in carried if source.whole), None)
    fields = [source for source in carried if not source.whole]
    schema: Data = {key: value for key, value in (whole.schema if whole else {}).items() if key != "description"}
    if fields:
        schema |= {"type": "object", "properties": {source.name: source.schema for source in fields}}
        if required := [source.name for source in fields if source.required]:
            schema["required"] = required
    return {
        **({"description": whole.description} if whole and whole.description else {}),
        **({"required": True} if any(source.required for source in carried) else {}),
        "content": {_JSON: {"schema": schema}},
    }


def _security_scheme(authentication: Authentication) -> Data:
    match authentication.type:
        case "apikey":
            return {"type": "apiKey", "name": authentication.key or "", "in": authentication.placement}
        case "oauth2":
            scopes = f", with the scopes {', '.join(authentication.scopes)}" if authentication.scopes else ""
            description = f"A token of {authentication.authorization_server_uri}{scopes}."
            return {"type": "http", "scheme": "bearer", "description": description}
        case scheme:
            return {"type": "http", "scheme": scheme}
