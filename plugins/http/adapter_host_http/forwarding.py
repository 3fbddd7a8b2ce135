"""Passing callers' requests on to the API as they come."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
from multidict import CIMultiDict

from adapter_host import (
    ArgumentError,
    Arguments,
    BuildContext,
    InputSpec,
    PassThroughOperation,
    Result,
    is_token,
    read_at_most,
)

from .auth.compile import describe_authentication
from .config import HttpConfig, HttpOperationSpec, HttpResource
from .credential import Credential
from .encoding import CONTROL
from .request.body import JSON
from .request.compiler import Compiler
from .request.request import CONTENT_TYPE, Request
from .request.scope import USER_AGENT, Unit
from .request.url import passed_path, passed_query, relative
from .upstream import Upstream

_VIA: Final = "Via"
_PSEUDONYM: Final = "1.1 adapter-host"
_DEFAULTS: Final = (("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", USER_AGENT))
_PLACES: Final = frozenset({"header", "query", "cookie"})


class HttpForwarding(PassThroughOperation):
    """Gives each request what the document says of all: fixed headers, cookies and parameters, the credential."""

    def __init__(
        self,
        config: HttpConfig,
        context: BuildContext,
        credential: Credential | None,
        upstream: Upstream,
        base: str,
    ) -> None:
        self.namespace = config.namespace
        fixed = tuple(filter(_is_fixed, config.input_parameters))
        own = config.model_copy(update={"input_parameters": fixed})
        spec = HttpOperationSpec(name=self.name, method="GET")
        self._unit = Unit(own, HttpResource(), spec, context, credential, _DEFAULTS)
        self._constant = Compiler(self._unit).compile().build({})
        self._base = base
        self._limit = context.settings.body_limit
        self._writers = context.header_writers
        self._upstream = upstream
        self._handshake = credential is not None and credential.auth_flow is not None
        names = {place: {each.name for each in fixed if each.in_ == place} for place in _PLACES}
        if credential is not None:
            names[credential.in_].add(credential.name)
        cookies = {"cookie"} if names["cookie"] else set()
        self.own_headers = frozenset({name.lower() for name in names["header"]} | cookies)
        self.own_query = frozenset(names["query"])

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Pass a request on."""
        method, request = arguments["method"], self._request(arguments, self._constant)
        if self._writers:
            request = request.written(self._writers)
        if self._handshake and isinstance(request.body, AsyncIterable):
            # It may have to be sent twice.
            held = await read_at_most(self._limit, request.body)
            if held is None:
                raise ArgumentError("body", f"the body must be at most {self._limit} bytes")
            request = replace(request, body=held)
        result = await self._upstream.forward(method, request, stream=stream)
        headers, path = CIMultiDict(result.headers), request.target.partition("?")[0]
        for name in ("Location", "Content-Location"):
            if name in headers:
                headers[name] = relative(headers[name], self._upstream.base, path)
        result.headers = headers
        return result

    def _request(self, arguments: Arguments, constant: Request) -> Request:
        if not is_token(arguments["method"]):
            raise ArgumentError("method", "'method' is no method")
        given: CIMultiDict[str] = CIMultiDict(arguments.get("headers") or {})
        for name, value in given.items():
            _check(name, value)
        body = arguments.get("body")
        if body is None:
            given.popall("Content-Length", None)
        elif not isinstance(body, AsyncIterable):
            body = _sent(body, given)
        headers = constant.headers
        for name, _ in _DEFAULTS:
            if name in given:
                headers.popall(name, None)
        via = ", ".join((*given.popall(_VIA, ()), _PSEUDONYM))
        headers.extend(given)
        headers.setdefault(_VIA, via)
        target = passed_path(arguments.get("path", "")) + self._query(arguments.get("query", ""), constant)
        return Request.of(target, headers, body, as_is=True, codings=False)

    def _query(self, given: str, constant: Request) -> str:
        fixed = constant.target.partition("?")[2]
        return passed_query("&".join(text for text in (given, fixed) if text))

    def describe(self) -> Mapping[str, Any]:
        """Return the parts of every request, secrets by name."""
        declared, credential = self._unit.config.authentication, self._unit.credential
        shown = self._shown(self._masked.headers)
        kept_back = {name for name, _ in _DEFAULTS} | ({credential.name} if credential else set())
        described: dict[str, Any] = {
            "method": "ANY",
            "url": f"{self._base}/{{path}}",
            "headers": {name: value for name, value in shown.items() if name not in kept_back},
        }
        if declared and credential:
            described["authentication"] = describe_authentication(declared, credential)
        return described

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the request that is passed on, but for its body, secrets by name."""
        request = self._request(arguments, self._masked)
        return {
            "method": arguments["method"],
            "url": self._base + request.target,
            "headers": self._shown(request.headers),
        }

    @property
    def _masked(self) -> Request:
        return Compiler(self._unit, masked=True).compile().build({})

    @staticmethod
    def _shown(headers: Mapping[str, str]) -> dict[str, str]:
        # The names of a multidict are a subclass of str, which orjson refuses as keys.
        return {"".join(name): value for name, value in headers.items()}


def _is_fixed(spec: InputSpec) -> bool:
    """Whether a declared input is one that no call gives, in a place that every request has."""
    return spec.in_ == "environment" or (spec.value is not None and spec.in_ in _PLACES)


def _check(name: str, value: Any) -> None:
    if not isinstance(value, str) or CONTROL.search(value.replace("\t", " ")) or not _is_utf8(value):
        raise ArgumentError("headers", f"header '{name}' must be UTF-8 text without control characters")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sent(body: Any, headers: CIMultiDict[str]) -> bytes:
    headers.popall("Content-Length", None)
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    headers.setdefault(CONTENT_TYPE, JSON)
    return orjson.dumps(body)
