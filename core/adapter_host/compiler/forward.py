"""Compile a forward: filter the headers and the query of requests, and the headers of responses."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

from multidict import CIMultiDict

from adapter_host.capability.model import Model
from adapter_host.capability.spec import Authentication, ForwardSpec
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.errors import ArgumentError, UpstreamStatusError
from adapter_host.http_syntax import CONNECTION_HEADERS, end_to_end_headers, is_token
from adapter_host.operation.operation import Arguments, ConsumedOperation, Operation
from adapter_host.operation.result import Result
from adapter_host.plugin.consumer import PassThroughOperation
from adapter_host.plugin.context import BuildContext

_BODY_HEADERS: Final = frozenset({"content-encoding", "content-language", "content-length", "content-type"})
_ORIGIN_HEADERS: Final = frozenset({"alt-svc", "strict-transport-security"})
"""Response headers about the host of the API, which are wrong for another host."""

_COOKIE_DOMAIN: Final = re.compile(r";\s*domain\s*=[^;]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ForwardTarget:
    """The pass-through operation of a consumer, and the same with the wrappers of plugins."""

    forwarding: PassThroughOperation
    operation: ConsumedOperation


@dataclass(frozen=True, slots=True)
class ForwardPolicy:
    """The request headers to forward and the query parameters to drop, in lower case."""

    headers: frozenset[str]
    dropped_query: frozenset[str]
    cookies: bool

    def forwarded_arguments(self, arguments: Arguments) -> dict[str, Any]:
        """Return the arguments without headers and query parameters that are not forwarded."""
        forwarded = dict(arguments)
        headers = forwarded.get("headers") or {}
        if not isinstance(headers, Mapping):
            raise ArgumentError("headers", "'headers' must be an object of strings")
        forwarded["headers"] = CIMultiDict(
            (name, value) for name, value in end_to_end_headers(headers).items() if name.lower() in self.headers
        )
        if self.dropped_query and forwarded.get("query"):
            forwarded["query"] = _drop_parameters(forwarded["query"], self.dropped_query)
        return forwarded

    def response_headers(self, headers: Mapping[str, str]) -> CIMultiDict[str]:
        """Return the response headers for the client.

        Cookies are set only if the client's cookies are forwarded: otherwise all clients would share one session.
        """
        returned = end_to_end_headers(headers)
        for name in _ORIGIN_HEADERS:
            returned.popall(name, None)
        cookies = returned.popall("Set-Cookie", [])
        if self.cookies:
            # The domain of the API is not that of the host; without one, a cookie belongs to the responding host.
            returned.extend(("Set-Cookie", _COOKIE_DOMAIN.sub("", cookie)) for cookie in cookies)
        return returned


class ForwardCompiler:
    """Compiles the forwards of one exposer; `targets` are by namespace, None where a consumer cannot forward."""

    def __init__(
        self,
        targets: Mapping[str, ForwardTarget | None],
        context: BuildContext,
        authentication: Authentication | None,
        *,
        streams: bool,
    ) -> None:
        self._targets = targets
        self._context = context
        self._authentication = authentication
        self._streams = streams

    def compile(self, spec: ForwardSpec) -> Operation | None:
        """Compile a forward; return None when it cannot run and a problem is reported."""
        target = self._find_target(spec)
        self._check_keys(spec)
        trusted = self._trusted_headers(spec)
        if target is None:
            return None
        policy = self._compile_policy(spec, target.forwarding, trusted)
        preview = target.operation.preview
        return Operation(
            name=spec.known_as,
            description=spec.description,
            inputs=PassThroughOperation.inputs,
            call=_runner(target.operation, policy, streams=self._streams),
            spec=spec,
            upstream=(target.operation,),
            identity=True,
            preview=lambda arguments: preview(policy.forwarded_arguments(arguments)),
        )

    def _find_target(self, spec: ForwardSpec) -> ForwardTarget | None:
        namespace = spec.target_namespace
        if namespace not in self._targets:
            hint = (
                did_you_mean(namespace, self._targets)
                or f" (consumed namespaces: {', '.join(self._targets) or 'none'})"
            )
            message = f"unknown namespace '{namespace}'{hint}"
            self._context.problem(message, spec, "targetNamespace", code="unknown-namespace")
        elif (target := self._targets[namespace]) is None:
            message = f"'{namespace}' does not support 'forward'; declare and call its operations"
            self._context.problem(message, spec, "targetNamespace", code="unsupported")
        else:
            return target
        return None

    def _check_keys(self, spec: ForwardSpec) -> None:
        allowed = {"name", "description", "target_namespace", "trusted_headers"}
        for name, field in type(spec).model_fields.items():
            if name in spec.model_fields_set and name not in allowed:
                key = field.alias or name
                keys = join_words(("targetNamespace", "trustedHeaders"), "and")
                message = f"'{key}' is not a key of a forward (keys: {keys})"
                self._context.problem(message, spec, key, code="unknown-key")

    def _trusted_headers(self, spec: ForwardSpec) -> frozenset[str]:
        """Return the headers to forward, in lower case."""
        trusted = set()
        for index, name in enumerate(spec.trusted_headers):
            if not is_token(name):
                self._context.problem(
                    f"'{name}' is not a valid header name", spec, "trustedHeaders", index, code="header-name"
                )
            elif name.lower() in CONNECTION_HEADERS:
                self._warn(f"header '{name}' is not forwarded: it belongs to the connection", spec, index)
            else:
                trusted.add(name.lower())
        return frozenset(trusted)

    def _compile_policy(
        self, spec: ForwardSpec, forwarding: PassThroughOperation, trusted: frozenset[str]
    ) -> ForwardPolicy:
        dropped_query = set(forwarding.own_query)
        location, key = self._credential_location()
        if location == "query":
            # It authenticates the client to the exposer, not to the API.
            dropped_query.add(key)
        for index, name in enumerate(spec.trusted_headers):
            if name.lower() in trusted & forwarding.own_headers:
                message = f"header '{name}' is not forwarded: '{spec.target_namespace}' sets it itself"
                self._warn(message, spec, index)
            elif location == "header" and name.lower() == key:
                message = f"credentials of clients for '{self._context.namespace}' are forwarded in '{name}'"
                self._warn(f"{message}; declare 'authentication' for '{spec.target_namespace}' instead", spec, index)
        headers = (trusted | _BODY_HEADERS) - forwarding.own_headers
        return ForwardPolicy(headers, frozenset(map(str.casefold, dropped_query)), cookies="cookie" in headers)

    def _credential_location(self) -> tuple[str, str]:
        """Return where clients send their credential (`header`, `query` or nothing), and its name there."""
        declared = self._authentication
        if declared is None:
            return "", ""
        if declared.type != "apikey":
            return "header", "authorization"
        key = self._context.secret(declared.key or "", declared, "key").constant or ""
        return declared.placement, key.lower() if declared.placement == "header" else key

    def _warn(self, message: str, spec: Model, index: int) -> None:
        self._context.warn(message, spec, "trustedHeaders", index, code="trusted-header")


def _runner(target: ConsumedOperation, policy: ForwardPolicy, *, streams: bool) -> Callable[[Arguments], Any]:
    call = target.call

    async def run(arguments: Arguments) -> Result:
        try:
            result = await call(policy.forwarded_arguments(arguments), stream=streams)
        except UpstreamStatusError as error:
            # Raised by a wrapper of the call; a forward returns an error of the API like any response.
            status, body, media_type = error.upstream_status, error.body, error.media_type
            result = Result(status=status, body=body, media_type=media_type, headers=error.headers)
        result.headers = policy.response_headers(result.headers)
        return result

    return run


def _drop_parameters(query: str, names: Collection[str]) -> str:
    """Remove parameters from a query by name, in any case and encoding; the rest stays unchanged."""
    pairs = []
    for pair in query.split("&"):
        # Some servers treat `;` as `&`.
        parts = [part for part in pair.split(";") if unquote_plus(part.partition("=")[0]).casefold() not in names]
        if parts:
            pairs.append(";".join(parts))
    return "&".join(pairs)
