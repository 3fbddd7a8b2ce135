"""Pass callers' requests through to the API."""

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
    UpstreamCredential,
    is_token,
    read_at_most,
)

from .config import HttpConfig, HttpOperationSpec, HttpResource
from .encoding import CONTROL
from .request.body import JSON
from .request.compiler import RequestCompiler
from .request.request import CONTENT_TYPE, Request
from .request.scope import USER_AGENT, OperationScope
from .request.url import forwarded_path, forwarded_query, relative_location
from .upstream import Upstream

_VIA: Final = "Via"
_PSEUDONYM: Final = "1.1 adapter-host"
_DEFAULTS: Final = (("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", USER_AGENT))
_FIXED_LOCATIONS: Final = frozenset({"header", "query", "cookie"})


class HttpPassThroughOperation(PassThroughOperation):
    """Adds the API's fixed headers, cookies, query parameters and credential to each request."""

    def __init__(
        self,
        config: HttpConfig,
        context: BuildContext,
        credential: UpstreamCredential | None,
        upstream: Upstream,
        base: str,
    ) -> None:
        self.namespace = config.namespace
        fixed = tuple(filter(_is_fixed, config.input_parameters))
        fixed_config = config.model_copy(update={"input_parameters": fixed})
        spec = HttpOperationSpec(name=self.name, method="GET")
        self._scope = OperationScope(fixed_config, HttpResource(), spec, context, credential, _DEFAULTS)
        self._constant = RequestCompiler(self._scope).compile().build({})
        self._base = base
        self._limit = context.settings.body_limit
        self._writers = context.header_writers
        self._upstream = upstream
        self._may_resend = credential is not None and credential.auth_flow is not None
        names = {in_: {input_.request_name for input_ in fixed if input_.in_ == in_} for in_ in _FIXED_LOCATIONS}
        if credential is not None:
            names[credential.in_].add(credential.name)
        cookies = {"cookie"} if names["cookie"] else set()
        self.own_headers = frozenset({name.lower() for name in names["header"]} | cookies)
        self.own_query = frozenset(names["query"])

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Send a request to the API."""
        method, request = arguments["method"], self._request(arguments, self._constant)
        if self._writers:
            request = request.apply_writers(self._writers)
        if self._may_resend and isinstance(request.body, AsyncIterable):
            # The authentication flow may have to send it twice.
            buffered = await read_at_most(self._limit, request.body)
            if buffered is None:
                raise ArgumentError("body", f"the body must be at most {self._limit} bytes")
            request = replace(request, body=buffered)
        result = await self._upstream.forward(method, request, stream=stream)
        headers, path = CIMultiDict(result.headers), request.target.partition("?")[0]
        for name in ("Location", "Content-Location"):
            if name in headers:
                headers[name] = relative_location(headers[name], self._upstream.base, path)
        result.headers = headers
        return result

    def _request(self, arguments: Arguments, constant: Request) -> Request:
        if not is_token(arguments["method"]):
            raise ArgumentError("method", "'method' is not a valid method")
        caller_headers: CIMultiDict[str] = CIMultiDict(arguments.get("headers") or {})
        for name, value in caller_headers.items():
            _check(name, value)
        body = arguments.get("body")
        if body is None:
            caller_headers.popall("Content-Length", None)
        elif not isinstance(body, AsyncIterable):
            body = _encode_body(body, caller_headers)
        headers = constant.headers
        for name, _ in _DEFAULTS:
            if name in caller_headers:
                headers.popall(name, None)
        via = ", ".join((*caller_headers.popall(_VIA, ()), _PSEUDONYM))
        headers.extend(caller_headers)
        headers.setdefault(_VIA, via)
        target = forwarded_path(arguments.get("path", "")) + self._query(arguments.get("query", ""), constant)
        return Request.from_headers(target, headers, body, pass_through=True, accept_codings=False)

    def _query(self, caller_query: str, constant: Request) -> str:
        fixed = constant.target.partition("?")[2]
        return forwarded_query("&".join(text for text in (caller_query, fixed) if text))

    def describe(self) -> Mapping[str, Any]:
        """Return the fixed parts of every request, with secrets by name."""
        credential = self._scope.credential
        headers = self._plain_headers(self._masked.headers)
        hidden = {name for name, _ in _DEFAULTS} | ({credential.name} if credential else set())
        described: dict[str, Any] = {
            "method": "ANY",
            "url": f"{self._base}/{{path}}",
            "headers": {name: value for name, value in headers.items() if name not in hidden},
        }
        if credential is not None:
            described["authentication"] = credential.description
        return described

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the request without its body, with secrets by name."""
        request = self._request(arguments, self._masked)
        return {
            "method": arguments["method"],
            "url": self._base + request.target,
            "headers": self._plain_headers(request.headers),
        }

    @property
    def _masked(self) -> Request:
        return RequestCompiler(self._scope, masked=True).compile().build({})

    @staticmethod
    def _plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
        # Names of a multidict are a subclass of str, which orjson rejects as keys.
        return {"".join(name): value for name, value in headers.items()}


def _is_fixed(spec: InputSpec) -> bool:
    """Return whether no caller supplies an input, and every request has its location."""
    return spec.in_ == "environment" or (spec.value is not None and spec.in_ in _FIXED_LOCATIONS)


def _check(name: str, value: Any) -> None:
    if not isinstance(value, str) or CONTROL.search(value.replace("\t", " ")) or not _is_utf8(value):
        raise ArgumentError("headers", f"header '{name}' must be UTF-8 text without control characters")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode_body(body: Any, headers: CIMultiDict[str]) -> bytes:
    headers.popall("Content-Length", None)
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    headers.setdefault(CONTENT_TYPE, JSON)
    return orjson.dumps(body)
