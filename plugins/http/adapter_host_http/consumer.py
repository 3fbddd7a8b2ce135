"""The consumer of HTTP APIs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from adapter_host import Arguments, ConsumedOperation, Consumer, Forwarding, Provision, Result, parse_size

from .authentication import compile_authentication, describe_authentication
from .body import JSON
from .compiler import Compiler
from .config import HttpConfig, HttpOperationSpec, HttpResource
from .formats import Format, accept_of, compile_format
from .forwarding import HttpForwarding
from .request import CONTENT_TYPE, Request
from .unit import USER_AGENT, Unit
from .upstream import Upstream
from .url import compile_base, normal_base

if TYPE_CHECKING:
    from .mock import StandIn

_IS_JSON: Final = re.compile(r"application/([^;]*\+)?json\s*(;.*)?", re.IGNORECASE)


class HttpOperation(ConsumedOperation):
    """One request of a consumed HTTP API."""

    def __init__(self, unit: Unit, upstream: Upstream, base: str) -> None:
        spec = unit.spec
        compiler = Compiler(unit)
        self.namespace = unit.provision.namespace
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
        self._writers = unit.provision.header_writers

    @cached_property
    def format(self) -> Format:
        """The format of its answers; the first look may read a file, and reports what is wrong."""
        return compile_format(self.unit.spec, self.unit.provision)

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
        """The request as the document declares it, secrets by name."""
        compiler = Compiler(self.unit, masked=True)
        plan = compiler.compile()
        declared, credential = self.unit.config.authentication, self.unit.credential
        described: dict[str, Any] = {
            "method": plan.method,
            "url": _named(f"{self._base}{plan.path}{plan.constant_query()}", self._secrets(compiler)),
            "inputs": [{"name": c.input, "in": c.place, "as": c.name} for c in compiler.carried],
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
        """What the document says of it to people; its description is what callers are told."""
        shown = {"label", "description", "tags"}
        resource = self.unit.resource.model_dump(mode="json", include=shown, exclude_defaults=True)
        own = self.unit.spec.model_dump(mode="json", include=shown - {"description"}, exclude_defaults=True)
        return {**own, **({"resource": resource} if resource else {})}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """The very request that `arguments` make, secrets by name."""
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
    """What answers are told to be; says which keys of it mean nothing here."""
    spec, provision = unit.spec, unit.provision
    raw, told = spec.output_raw_format, spec.output_media_type
    if raw != "binary" and spec.max_binary_size is not None:
        message = "'maxBinarySize' is for 'outputRawFormat: binary' alone, so it is ignored"
        provision.warn(message, spec, "maxBinarySize", code="ignored")
    if raw == "binary" and spec.output_parameters:
        message = "the answers are bytes, of which nothing is mapped: 'outputParameters' is ignored"
        provision.warn(message, spec, "outputParameters", code="ignored")
    if told is not None and raw not in ("json", "binary") and not _IS_JSON.fullmatch(told):
        message = f"what is {raw} is passed on as JSON, not as '{told}': 'outputMediaType' is ignored"
        provision.warn(message, spec, "outputMediaType", code="ignored")
        return None
    return told


class HttpConsumer(Consumer[HttpConfig]):
    """Calls an HTTP API."""

    config_class = HttpConfig

    def __init__(self, config: HttpConfig, provision: Provision) -> None:
        super().__init__(config, provision)
        base = compile_base(config, provision)
        self._base = normal_base(base)
        self._stand_in: StandIn | None = None
        self._credential = compile_authentication(config.authentication, provision)
        handshake = self._credential.handshake if self._credential else None
        self._upstream = Upstream(provision, config, handshake)
        self._masked = base.masked().rstrip("/") if base else ""
        self._operations = tuple(
            HttpOperation(self._unit(resource, spec), self._upstream, self._masked)
            for resource in config.resources
            for spec in resource.operations
        )

    @property
    def base_uri(self) -> str:
        """Where it calls, once started."""
        return self._upstream.base

    def operations(self) -> Sequence[ConsumedOperation]:
        """Every operation of every resource; the files that they name are read here, where a build may."""
        for operation in self._operations:
            _ = operation.format
        return self._operations

    def forwarding(self) -> Forwarding:
        """What passes requests on, with what the API is given by every operation."""
        return HttpForwarding(self.config, self.provision, self._credential, self._upstream, self._masked)

    async def start(self) -> None:
        """Open the session; with the stand-in, serve that first."""
        if self.provision.settings.mock:
            # Imported here: it is a server, which `validate` and most who serve do without.
            from .mock import StandIn

            self._stand_in = StandIn(self._operations, self._credential)
            await self._upstream.open(await self._stand_in.start(), direct=True)
        else:
            await self._upstream.open(self._base)

    async def stop(self) -> None:
        """Close the session, then the stand-in."""
        await self._upstream.close()
        stand_in, self._stand_in = self._stand_in, None
        if stand_in is not None:
            await stand_in.stop()

    def _unit(self, resource: HttpResource, spec: HttpOperationSpec) -> Unit:
        headers = (("Accept", accept_of(spec.output_raw_format)), ("User-Agent", USER_AGENT))
        return Unit(self.config, resource, spec, self.provision, self._credential, headers)


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
