"""One consumed operation over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

import orjson

from adapter_host import Arguments, ConsumedOperation, Result, parse_size

from .auth.compile import describe_authentication
from .formats import Format, compile_format
from .request.body import JSON
from .request.compiler import Compiler
from .request.request import CONTENT_TYPE, Request
from .request.scope import Unit
from .upstream import Upstream

_IS_JSON: Final = re.compile(r"application/([^;]*\+)?json\s*(;.*)?", re.IGNORECASE)


class HttpOperation(ConsumedOperation):
    """One request of a consumed HTTP API."""

    def __init__(self, unit: Unit, upstream: Upstream, base: str) -> None:
        spec = unit.spec
        compiler = Compiler(unit)
        self.namespace = unit.context.namespace
        self.name = spec.name
        self.resource = unit.resource.name
        self.path = unit.path
        self.method = spec.method
        self.spec = spec
        self.description = spec.description or spec.label
        self.unit = unit
        self.plan = compiler.compile()
        self.inputs = self.plan.inputs
        self.binary = spec.output_raw_format == "binary"
        self.outputs = () if self.binary else spec.output_parameters
        self.media_type = _told(unit)
        self.max_size = parse_size(spec.max_binary_size) if self.binary and spec.max_binary_size else None
        self.carried = tuple(compiler.carried)
        self._base = base
        self._upstream = upstream
        self._writers = unit.context.header_writers

    @cached_property
    def format(self) -> Format:
        """The format of its answers; the first look may read a file, and reports what is wrong."""
        return compile_format(self.unit.spec, self.unit.context)

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Call the API; with `stream` an answer of more than 64 KiB comes as a stream."""
        request = self.plan.build(arguments)
        if self._writers:
            request = request.written(self._writers)
        result = await self._upstream.call(self.plan.method, request, self.format, stream=stream, most=self.max_size)
        if self.media_type is not None:
            result.media_type = self.media_type
        return result

    def describe(self) -> Mapping[str, Any]:
        """Return the request as the document declares it, secrets by name."""
        compiler = Compiler(self.unit, masked=True)
        plan = compiler.compile()
        declared, credential = self.unit.config.authentication, self.unit.credential
        described: dict[str, Any] = {
            "method": plan.method,
            "url": _named(f"{self._base}{plan.path}{plan.constant_query()}", self._secrets(compiler)),
            "inputs": [{"name": c.input, "in": c.in_, "as": c.name} for c in compiler.carried],
            "headers": {
                name: value
                for name, value in _plain(plan.constant_headers()).items()
                if name != "User-Agent" and not (credential and credential.takes("header", name))
            },
        }
        if (body := self.unit.spec.body) is not None:
            described["body"] = body.model_dump(by_alias=True, exclude_none=True)
        if declared and credential:
            described["authentication"] = describe_authentication(declared, credential)
        return {**described, **self._said()}

    def _said(self) -> dict[str, Any]:
        """Return the document's own description of the operation."""
        shown = {"label", "description", "tags"}
        resource = self.unit.resource.model_dump(mode="json", include=shown, exclude_defaults=True)
        own = self.unit.spec.model_dump(mode="json", include=shown - {"description"}, exclude_defaults=True)
        return {**own, **({"resource": resource} if resource else {})}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the very request that `arguments` make, secrets by name."""
        compiler = Compiler(self.unit, masked=True)
        request = compiler.compile().build(arguments)
        secrets = self._secrets(compiler)
        shown: dict[str, Any] = {
            "method": self.plan.method,
            "url": _named(self._base + request.target, secrets),
            "headers": _plain(request.headers),
        }
        if request.body is not None:
            shown["body"] = _body(request, secrets)
        return shown

    def _secrets(self, compiler: Compiler) -> set[str]:
        credential = self.unit.credential
        return {*compiler.texts.secrets, *(credential.secrets if credential else ())}


def _told(unit: Unit) -> str | None:
    """Return the declared media type of responses; warn about keys that have no effect here."""
    spec, context = unit.spec, unit.context
    raw, told = spec.output_raw_format, spec.output_media_type
    if raw != "binary" and spec.max_binary_size is not None:
        message = "'maxBinarySize' is for 'outputRawFormat: binary' alone, so it is ignored"
        context.warn(message, spec, "maxBinarySize", code="ignored")
    if raw == "binary" and spec.output_parameters:
        message = "the answers are bytes, of which nothing is mapped: 'outputParameters' is ignored"
        context.warn(message, spec, "outputParameters", code="ignored")
    if told is not None and raw not in ("json", "binary") and not _IS_JSON.fullmatch(told):
        message = f"what is {raw} is passed on as JSON, not as '{told}': 'outputMediaType' is ignored"
        context.warn(message, spec, "outputMediaType", code="ignored")
        return None
    return told


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    # The names of a multidict are a subclass of str, which orjson refuses as keys.
    return {"".join(name): value for name, value in headers.items()}


def _named(text: str, secrets: set[str]) -> str:
    for name in secrets:
        tag = "{{" + name + "}}"
        text = text.replace(quote(tag, safe=""), tag)
    return text


def _body(request: Request, secrets: set[str]) -> Any:
    body = request.body if isinstance(request.body, bytes) else b""
    if request.headers[CONTENT_TYPE].startswith(JSON):
        return orjson.loads(body)
    return _named(body.decode(errors="replace"), secrets)
