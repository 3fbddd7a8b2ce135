"""Builds the request by which a client calls a tool, in the revision without a handshake."""

from __future__ import annotations

from typing import Final

from adapter_host import Arguments, ClientRequest, encode_json, text_of

from .features.tools import Tool
from .protocol import (
    JSON_MEDIA_TYPE,
    META_PREFIX,
    METHOD_HEADER,
    NAME_HEADER,
    SSE_MEDIA_TYPE,
    STATELESS_VERSION,
    VERSION_HEADER,
)

_METHOD: Final = "tools/call"
_UNSAFE: Final = str.maketrans({"\r": " ", "\n": " ", "\0": " "})
"""Characters that no header can carry."""


def tool_call(url: str, tool: Tool, arguments: Arguments) -> ClientRequest:
    """Return the request that calls a tool of the endpoint at `url`; inputs of headers are headers of the request."""
    sent = {header.name: arguments[header.name] for header in tool.headers if header.name in arguments}
    others = {name: value for name, value in arguments.items() if name not in sent}
    meta = {f"{META_PREFIX}protocolVersion": STATELESS_VERSION, f"{META_PREFIX}clientCapabilities": {}}
    params = {"name": tool.name, "arguments": others, "_meta": meta}
    headers = {
        "Content-Type": JSON_MEDIA_TYPE,
        "Accept": f"{JSON_MEDIA_TYPE}, {SSE_MEDIA_TYPE}",
        VERSION_HEADER: STATELESS_VERSION,
        METHOD_HEADER: _METHOD,
        NAME_HEADER: tool.name,
        **{name: text_of(value).translate(_UNSAFE) for name, value in sent.items()},
    }
    body = encode_json({"jsonrpc": "2.0", "id": 1, "method": _METHOD, "params": params})
    return ClientRequest("POST", url, headers, body)
