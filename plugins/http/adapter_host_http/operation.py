"""A consumed operation over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from adapter_host import PAGINATION, Arguments, ConsumedOperation, PaginationSpec, Result, decode_json, parse_size

from .cache_policy import CachePolicy
from .formats import Format, compile_format
from .next_page import follow_links
from .request.body import JSON
from .request.compiler import RequestCompiler
from .request.plan import Parameter
from .request.request import CONTENT_TYPE, Request
from .request.scope import OperationScope
from .upstream import Upstream

if TYPE_CHECKING:
    from .cache.http_cache import HttpCache

_IS_JSON: Final = re.compile(r"application/([^;]*\+)?json\s*(;.*)?", re.IGNORECASE)


class HttpOperation(ConsumedOperation):
    """An operation of a consumed HTTP API."""

    def __init__(
        self,
        scope: OperationScope,
        upstream: Upstream,
        base: str,
        caching: tuple[HttpCache, CachePolicy] | None = None,
    ) -> None:
        spec = scope.spec
        compiler = RequestCompiler(scope)
        self.namespace = scope.context.namespace
        self.name = spec.name
        self.resource = scope.resource.name
        self.path = scope.path
        self.method = spec.method
        self.spec = spec
        self.description = spec.description or spec.label
        self.scope = scope
        self.plan = compiler.compile()
        self.inputs = self.plan.inputs
        self.unplaced = compiler.unplaced
        self.binary = spec.output_raw_format == "binary"
        self.outputs = () if self.binary else spec.output_parameters
        self.media_type = _effective_media_type(scope)
        self.max_size = parse_size(spec.max_binary_size) if self.binary and spec.max_binary_size else None
        self.parameters = tuple(compiler.parameters)
        self.request_media_type = compiler.body_type
        self._base = base
        self._upstream = upstream
        self._caching = caching
        self._writers = scope.context.header_writers
        self._build: Callable[[Arguments], Request] = self.plan.build
        if PAGINATION in (spec.model_extra or {}):
            self.follows_links = True
            self._build = follow_links(self.plan.build, lambda: upstream.base, scope.credential)

    @cached_property
    def format(self) -> Format:
        """Return the format of responses; the first access may read a schema file and reports its problems."""
        return compile_format(self.scope.spec, self.scope.context)

    @cached_property
    def pagination(self) -> PaginationSpec | None:
        """Return the declaration of pages; the host reports its problems."""
        declared = (self.scope.spec.model_extra or {}).get(PAGINATION)
        return None if declared is None else PaginationSpec.model_validate(declared)

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Call the API; with `stream`, return events and a response of more than 64 KiB as a stream."""
        request = self._build(arguments)
        cached = None
        if self._caching is not None:
            cache, policy = self._caching
            cached = cache.call(policy, request)
        if self._writers:
            request = request.apply_writers(self._writers)
        result = await self._upstream.call(
            self.plan.method, request, self.format, stream=stream, max_size=self.max_size, cached=cached
        )
        if self.media_type is not None:
            result.sent_media_type, result.media_type = result.media_type, self.media_type
        return result

    def describe(self) -> Mapping[str, Any]:
        """Return the request as declared, with secrets by name."""
        compiler = RequestCompiler(self.scope, masked=True)
        plan = compiler.compile()
        credential = self.scope.credential
        described: dict[str, Any] = {
            "method": plan.method,
            "url": _unquote_tags(f"{self._base}{plan.path}{plan.constant_query()}", self._secrets(compiler)),
            "inputs": [_describe_parameter(parameter) for parameter in compiler.parameters],
            "headers": {
                name: value
                for name, value in _plain_headers(plan.constant_headers()).items()
                if name != "User-Agent" and not (credential and credential.matches("header", name))
            },
        }
        if (body := self.scope.spec.body) is not None:
            described["body"] = body.model_dump(by_alias=True, exclude_none=True)
        if credential is not None:
            described["authentication"] = credential.description
        return {**described, **self._documentation()}

    def _documentation(self) -> dict[str, Any]:
        keys = {"label", "description", "tags"}
        resource = self.scope.resource.model_dump(mode="json", include=keys, exclude_defaults=True)
        documentation = self.scope.spec.model_dump(mode="json", include=keys - {"description"}, exclude_defaults=True)
        return {**documentation, **({"resource": resource} if resource else {})}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the request for `arguments`, with secrets by name."""
        compiler = RequestCompiler(self.scope, masked=True)
        request = compiler.compile().build(arguments)
        secrets = self._secrets(compiler)
        preview: dict[str, Any] = {
            "method": self.plan.method,
            "url": _unquote_tags(self._base + request.target, secrets),
            "headers": _plain_headers(request.headers),
        }
        if request.body is not None:
            preview["body"] = _preview_body(request, secrets)
        return preview

    def _secrets(self, compiler: RequestCompiler) -> set[str]:
        credential = self.scope.credential
        return {*compiler.templates.secrets, *(credential.secrets if credential else ())}


def _effective_media_type(scope: OperationScope) -> str | None:
    """Return the declared media type of responses; warn about keys without effect."""
    spec, context = scope.spec, scope.context
    raw, media_type = spec.output_raw_format, spec.output_media_type
    if raw != "binary" and spec.max_binary_size is not None:
        message = "'maxBinarySize' is ignored without 'outputRawFormat: binary'"
        context.warn(message, spec, "maxBinarySize", code="ignored")
    if raw == "binary" and spec.output_parameters:
        message = "'outputParameters' is ignored with 'outputRawFormat: binary'"
        context.warn(message, spec, "outputParameters", code="ignored")
    if media_type is not None and raw not in ("json", "binary") and not _IS_JSON.fullmatch(media_type):
        message = f"{raw} is converted to JSON, not to '{media_type}'; 'outputMediaType' is ignored"
        context.warn(message, spec, "outputMediaType", code="ignored")
        return None
    return media_type


def _describe_parameter(parameter: Parameter) -> dict[str, Any]:
    described = {"name": parameter.input, "in": parameter.in_, "as": parameter.name}
    if (wire := parameter.wire) is None:
        return described
    content_type = {"contentType": wire.content_type} if wire.content_type else {}
    return {**described, **wire.described(), **content_type}


def _plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
    # Names of a multidict are a subclass of str, which orjson rejects as keys.
    return {"".join(name): value for name, value in headers.items()}


def _unquote_tags(text: str, secrets: set[str]) -> str:
    for name in secrets:
        tag = "{{" + name + "}}"
        text = text.replace(quote(tag, safe=""), tag)
    return text


def _preview_body(request: Request, secrets: set[str]) -> Any:
    body = request.body if isinstance(request.body, bytes) else b""
    if request.headers[CONTENT_TYPE].startswith(JSON):
        with suppress(ValueError):  # a raw body of another format
            return decode_json(body)
    return _unquote_tags(body.decode(errors="replace"), secrets)
