"""Recognition of well-formed requests, which are handled without the SDK.

The SDK takes a second to import, and most servers never need it. A message that is not recognized here is not
necessarily invalid: the SDK decides, and reports what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from adapter_host import bare_media_type, parse_json
from adapter_host_mcp.protocol import (
    HANDSHAKE_VERSIONS,
    IDEMPOTENCY_META,
    JSON_MEDIA_TYPE,
    MAX_DEPTH,
    META_PREFIX,
    METHOD_HEADER,
    NAME_HEADER,
    SSE_MEDIA_TYPE,
    STATELESS_VERSION,
    TRACE_KEYS,
    VERSION_HEADER,
)

if TYPE_CHECKING:
    from aiohttp import web

    from .sessions import Session


_META_VERSION: Final = f"{META_PREFIX}protocolVersion"


_META_CAPABILITIES: Final = f"{META_PREFIX}clientCapabilities"


_META_CLIENT: Final = f"{META_PREFIX}clientInfo"


_NOT_ACCEPTED: Final = re.compile(r";\s*q=0(\.0*)?\s*(;|$)", re.IGNORECASE)
"""The weight of a media type that a client does not accept (RFC 9110, section 12.4.2)."""


_REQUEST_KEYS: Final = frozenset({"jsonrpc", "id", "method", "params"})


_NOTIFICATION_KEYS: Final = frozenset({"jsonrpc", "method", "params"})


_CALL_KEYS: Final = frozenset({"name", "arguments", "_meta"})


_INITIALIZE_KEYS: Final = frozenset({"protocolVersion", "capabilities", "clientInfo"})


_TRACE_META: Final = frozenset(TRACE_KEYS)


_SESSION_META: Final = frozenset({"progressToken", IDEMPOTENCY_META, *TRACE_KEYS})


_STATELESS_META: Final = frozenset({_META_VERSION, _META_CAPABILITIES, _META_CLIENT, *_SESSION_META})


_CLIENT_INFO_KEYS: Final = frozenset({"name", "title", "version"})


_CAPABILITIES: Final[Mapping[str, frozenset[str]]] = {
    "roots": frozenset({"listChanged"}),
    "sampling": frozenset(),
    "elicitation": frozenset({"form", "url"}),
}
"""Client capabilities that all revisions share, each with its members."""


@dataclass(frozen=True, slots=True)
class McpRequest:
    """A well-formed request on the fast path, with its session."""

    id: str | int
    method: str
    params: Mapping[str, Any]
    stateless: bool
    session: Session | None
    progress_token: str | int | None

    @property
    def request(self) -> McpRequest:
        """The message, which is the request itself."""
        return self

    @property
    def cancel_key(self) -> tuple[str, str | int] | None:
        """The session id and request id that `notifications/cancelled` refers to."""
        return (self.session.id, self.id) if self.session else None

    @property
    def version(self) -> str | None:
        """The protocol version; None without a session in the handshake revisions."""
        if self.stateless:
            return STATELESS_VERSION
        return None if self.session is None else self.session.version


def accepted_types(request: web.Request) -> tuple[bool, bool]:
    """Return whether the client accepts JSON, and whether it accepts an event stream."""
    return _accepted_types(request.headers.get("Accept", ""))


def names_type(request: web.Request, media_type: str) -> bool:
    """Return whether the client accepts a media type by its name, not by a wildcard."""
    return media_type in _media_types(request.headers.get("Accept", ""))


@lru_cache(maxsize=256)
def _media_types(accept: str) -> frozenset[str]:
    return frozenset(bare_media_type(each) for each in accept.split(",") if not _NOT_ACCEPTED.search(each))


@lru_cache(maxsize=256)
def _accepted_types(accept: str) -> tuple[bool, bool]:
    media_types = _media_types(accept)
    accepts_json = bool(media_types & {"*/*", "application/*", JSON_MEDIA_TYPE})
    # A client that accepts any type does not expect a stream.
    return accepts_json, SSE_MEDIA_TYPE in media_types


def parse_body(body: bytes) -> Any:
    """Parse a body; return None for invalid JSON and for bodies that may exceed the nesting limit."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        return None
    try:
        return parse_json(body)
    except ValueError:
        return None


def is_notification(decoded: Any) -> bool:
    """Return True for a well-formed notification."""
    return (
        isinstance(decoded, dict)
        and decoded.keys() <= _NOTIFICATION_KEYS
        and decoded.get("jsonrpc") == "2.0"
        and isinstance(decoded.get("method"), str)
        and isinstance(decoded.get("params", {}), dict)
    )


def parse_request(decoded: Any, headers: Mapping[str, str], session: Session | None) -> McpRequest | None:
    """Return the request, or None when it is not well-formed and must go to the SDK."""
    if not (
        isinstance(decoded, dict)
        and decoded.keys() <= _REQUEST_KEYS
        and decoded.get("jsonrpc") == "2.0"
        and is_request_id(decoded.get("id"))
    ):
        return None
    method, params = decoded.get("method"), decoded.get("params", {})
    if not (isinstance(method, str) and isinstance(params, dict)):
        return None
    version = headers.get(VERSION_HEADER)
    meta = params.get("_meta", {})
    if not isinstance(meta, dict) or ("progressToken" in meta and not is_request_id(meta["progressToken"])):
        return None
    if not _TRACE_META.isdisjoint(meta) and not all(isinstance(meta.get(key, ""), str) for key in TRACE_KEYS):
        return None
    stateless = version == STATELESS_VERSION
    is_valid = (
        _is_stateless_request(meta, method, params, headers) if stateless else _is_handshake_request(version, meta)
    )
    if not (is_valid and _has_expected_params(method, params, stateless=stateless)):
        return None
    return McpRequest(decoded["id"], method, params, stateless, session, meta.get("progressToken"))


def is_request_id(value: Any) -> bool:
    """Return True for a valid JSON-RPC request id."""
    return type(value) in (str, int)


def _is_handshake_request(version: str | None, meta: Mapping[str, Any]) -> bool:
    return (version is None or version in HANDSHAKE_VERSIONS) and meta.keys() <= _SESSION_META


def _is_stateless_request(meta: Mapping[str, Any], method: str, params: Mapping[str, Any], headers: Any) -> bool:
    name = params.get("name") if method == "tools/call" else None
    return (
        meta.keys() <= _STATELESS_META
        and meta.get(_META_VERSION) == STATELESS_VERSION
        and are_capabilities(meta.get(_META_CAPABILITIES))
        and (_META_CLIENT not in meta or is_client_info(meta[_META_CLIENT]))
        and headers.getall(VERSION_HEADER) == [STATELESS_VERSION]
        and headers.getall(METHOD_HEADER, []) == [method]
        and headers.getall(NAME_HEADER, []) == ([] if name is None else [name])
        # An encoded name, which the SDK has to decode.
        and not (isinstance(name, str) and name.startswith("=?"))
    )


def _has_expected_params(method: str, params: Mapping[str, Any], *, stateless: bool) -> bool:
    match method:
        case "tools/call":
            return (
                params.keys() <= _CALL_KEYS
                and isinstance(params.get("name"), str)
                and isinstance(params.get("arguments", {}), dict)
            )
        case "tools/list":
            return params.keys() <= {"_meta"}
        case "server/discover":
            return stateless and params.keys() <= {"_meta"}
        case "ping":
            return not stateless and params.keys() <= {"_meta"}
        case "initialize":
            return (
                not stateless
                and params.keys() == _INITIALIZE_KEYS
                and params["protocolVersion"] in HANDSHAKE_VERSIONS
                and are_capabilities(params["capabilities"])
                and is_client_info(params["clientInfo"])
            )
    return False


def is_client_info(value: Any) -> bool:
    """Return True for client information with only the common members."""
    return (
        isinstance(value, dict)
        and value.keys() <= _CLIENT_INFO_KEYS
        and value.keys() >= {"name", "version"}
        and all(isinstance(item, str) for item in value.values())
    )


def are_capabilities(value: Any) -> bool:
    """Return True for client capabilities with only the common members."""
    return isinstance(value, dict) and all(
        name in _CAPABILITIES
        and isinstance(item, dict)
        and item.keys() <= _CAPABILITIES[name]
        and _are_capability_members(item)
        for name, item in value.items()
    )


def _are_capability_members(feature: Mapping[str, Any]) -> bool:
    return all(isinstance(item, bool) if name == "listChanged" else item == {} for name, item in feature.items())
