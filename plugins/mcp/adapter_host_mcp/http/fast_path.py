"""Messages that are plainly right: told by their looks, without the SDK.

What is not is not wrong for that: it may be right in a way that few clients write. The SDK knows, and has the words for
what is wrong. But it takes a second to import, and most servers never need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from adapter_host import bare_media_type
from adapter_host_mcp.protocol import DEPTH, HANDSHAKE, JSON, META, METHOD, NAME, STATELESS, TRACE, VERSION

if TYPE_CHECKING:
    from aiohttp import web

    from .sessions import Session


_META_VERSION: Final = f"{META}protocolVersion"


_META_CAPABILITIES: Final = f"{META}clientCapabilities"


_META_CLIENT: Final = f"{META}clientInfo"


_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})


_NOTIFICATION: Final = frozenset({"jsonrpc", "method", "params"})


_CALL: Final = frozenset({"name", "arguments", "_meta"})


_INITIALIZE: Final = frozenset({"protocolVersion", "capabilities", "clientInfo"})


_OF_SESSION: Final = frozenset({"progressToken", *TRACE})


_ENVELOPE: Final = frozenset({_META_VERSION, _META_CAPABILITIES, _META_CLIENT, *_OF_SESSION})


_CLIENT: Final = frozenset({"name", "title", "version"})


_FEATURES: Final[Mapping[str, frozenset[str]]] = {
    "roots": frozenset({"listChanged"}),
    "sampling": frozenset(),
    "elicitation": frozenset({"form", "url"}),
}
"""What clients can do that is in every revision, each with its members."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request that is plainly right, and the session it belongs to."""

    id: str | int
    method: str
    params: Mapping[str, Any]
    stateless: bool
    session: Session | None
    progress_token: str | int | None

    @property
    def name(self) -> tuple[str, str | int] | None:
        """What its client may name it by when it cancels it."""
        return (self.session.id, self.id) if self.session else None


def accepts(request: web.Request) -> tuple[bool, bool]:
    """Whether the client takes an answer in JSON, and as a stream of events."""
    return _accepts(request.headers.get("Accept", ""))


@lru_cache(maxsize=256)
def _accepts(accept: str) -> tuple[bool, bool]:
    kinds = {bare_media_type(kind) for kind in accept.split(",")}
    return bool(kinds & {"*/*", "application/*", JSON}), bool(kinds & {"*/*", "text/*", "text/event-stream"})


def parse(body: bytes) -> Any:
    """Return the message in a body; None for what is no JSON, or may be nested deeper than it should."""
    if body.count(b"{") + body.count(b"[") > DEPTH:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def is_notification(decoded: Any) -> bool:
    """Whether it is a message that gets no answer, and no answer itself."""
    return (
        isinstance(decoded, dict)
        and decoded.keys() <= _NOTIFICATION
        and decoded.get("jsonrpc") == "2.0"
        and isinstance(decoded.get("method"), str)
        and isinstance(decoded.get("params", {}), dict)
    )


def read(decoded: Any, headers: Mapping[str, str], session: Session | None) -> Message | None:
    """Return the request, if it is one that is plainly right in every part."""
    if not (
        isinstance(decoded, dict)
        and decoded.keys() <= _REQUEST
        and decoded.get("jsonrpc") == "2.0"
        and is_identity(decoded.get("id"))
    ):
        return None
    method, params = decoded.get("method"), decoded.get("params", {})
    if not (isinstance(method, str) and isinstance(params, dict)):
        return None
    version = headers.get(VERSION)
    meta = params.get("_meta", {})
    if not isinstance(meta, dict) or ("progressToken" in meta and not is_identity(meta["progressToken"])):
        return None
    if not all(isinstance(meta.get(key, ""), str) for key in TRACE):
        return None
    stateless = version == STATELESS
    right = _is_enveloped(meta, method, params, headers) if stateless else _is_of_session(version, meta)
    if not (right and _is_known(method, params, stateless=stateless)):
        return None
    return Message(decoded["id"], method, params, stateless, session, meta.get("progressToken"))


def is_identity(value: Any) -> bool:
    """Whether it may name a request."""
    return type(value) in (str, int)


def _is_of_session(version: str | None, meta: Mapping[str, Any]) -> bool:
    return (version is None or version in HANDSHAKE) and meta.keys() <= _OF_SESSION


def _is_enveloped(meta: Mapping[str, Any], method: str, params: Mapping[str, Any], headers: Any) -> bool:
    name = params.get("name") if method == "tools/call" else None
    return (
        meta.keys() <= _ENVELOPE
        and meta.get(_META_VERSION) == STATELESS
        and are_features(meta.get(_META_CAPABILITIES))
        and (_META_CLIENT not in meta or is_client(meta[_META_CLIENT]))
        and headers.getall(VERSION) == [STATELESS]
        and headers.getall(METHOD, []) == [method]
        and headers.getall(NAME, []) == ([] if name is None else [name])
        # Such a name says what it is in another way.
        and not (isinstance(name, str) and name.startswith("=?"))
    )


def _is_known(method: str, params: Mapping[str, Any], *, stateless: bool) -> bool:
    match method:
        case "tools/call":
            return (
                params.keys() <= _CALL
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
                and params.keys() == _INITIALIZE
                and params["protocolVersion"] in HANDSHAKE
                and are_features(params["capabilities"])
                and is_client(params["clientInfo"])
            )
    return False


def is_client(value: Any) -> bool:
    """Whether it says who a client is, in the plainest way."""
    return (
        isinstance(value, dict)
        and value.keys() <= _CLIENT
        and value.keys() >= {"name", "version"}
        and all(isinstance(each, str) for each in value.values())
    )


def are_features(value: Any) -> bool:
    """Whether it says what a client can do, in the plainest way."""
    return isinstance(value, dict) and all(
        name in _FEATURES and isinstance(each, dict) and each.keys() <= _FEATURES[name] and _are_members(each)
        for name, each in value.items()
    )


def _are_members(feature: Mapping[str, Any]) -> bool:
    return all(isinstance(each, bool) if name == "listChanged" else each == {} for name, each in feature.items())
