"""What a call gave, as the members of a `tools/call` result: JSON, written as bytes."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping
from contextvars import Token
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import orjson

from adapter_host import (
    TRACE_CONTEXT,
    Arguments,
    OperationError,
    Result,
    UpstreamStatusError,
    bare_media_type,
    new_request_id,
)
from adapter_host_mcp.protocol import INTERNAL_ERROR, TRACE

from .tools import Tool

_TEXTUAL: Final = re.compile(
    r"text/.*|.*[+/](json|xml|yaml)|application/(x-)?(javascript|ndjson|jsonl|yaml|www-form-urlencoded|graphql)"
)


_JSON: Final = re.compile(r".*[+/]json")


_CHARSET: Final = re.compile(r""";\s*charset=["']?([^\s;"']+)""", re.IGNORECASE)


def success(result: Result, tool: Tool, *, any_output: bool) -> bytes:
    """Return the members for a call that succeeded; with `any_output` structured content need not be an object."""
    kind = bare_media_type(result.media_type)
    binary = tool.operation.binary
    content = orjson.dumps(_content(result.body, result.media_type, tool))
    structured = _structured(result.body, tool, any_output) if _JSON.fullmatch(kind) and not binary else b""
    return b'"content":%b%b,"isError":false' % (content, structured)


def failure(error: OperationError) -> bytes:
    """Return the members for a call that failed, told in words that a model can act on."""
    text = _upstream_text(error) if isinstance(error, UpstreamStatusError) else error.message
    return b'"content":%b,"isError":true' % orjson.dumps([_text(text)])


def _structured(body: bytes, tool: Tool, any_output: bool) -> bytes:
    # Parsed here, and not by `Result.data`, whose decoder may be another: these very bytes are embedded.
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return b""
    tool.note_flaw(data)
    if tool.wraps and not any_output:
        return b',"structuredContent":{"result":%b}' % body
    allowed = isinstance(data, dict) or (any_output and (data is not None or tool.wraps))
    return b',"structuredContent":' + body if allowed else b""


def _content(body: bytes, media_type: str, tool: Tool) -> list[dict[str, Any]]:
    if not body:
        return []
    text = _plain(body, media_type) if tool.operation.binary else decode(body, media_type)
    if text is not None:
        return [_text(text)]
    kind = bare_media_type(media_type)
    encoded = base64.b64encode(body).decode()
    if (family := kind.partition("/")[0]) in ("image", "audio"):
        return [{"type": family, "data": encoded, "mimeType": kind}]
    # Nobody can read it again by its URI, so no two may have one: a client might take them for the same.
    blob = {"uri": f"{tool.uri}/{uuid4()}", "blob": encoded, "mimeType": kind or "application/octet-stream"}
    return [{"type": "resource", "resource": blob}]


def decode(body: bytes, media_type: str) -> str | None:
    """Return the body as text, or None when it is none; what has no media type is text if it can be."""
    kind = bare_media_type(media_type)
    if not kind:
        try:
            return body.decode()
        except UnicodeDecodeError:
            return None
    return _decoded(body, media_type) if _TEXTUAL.fullmatch(kind) else None


def _plain(body: bytes, media_type: str) -> str | None:
    """Return binary data as text if it has no other format and is valid text."""
    if not bare_media_type(media_type).startswith("text/"):
        return None
    charset = _CHARSET.search(media_type)
    try:
        return body.decode(charset[1] if charset else "utf-8")
    except (LookupError, UnicodeError):
        return None


def _decoded(body: bytes, media_type: str) -> str:
    charset = _CHARSET.search(media_type)
    try:
        return body.decode(charset[1] if charset else "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        return body.decode(errors="replace")


def describe_status(error: UpstreamStatusError) -> str:
    """Return the upstream's status, without its body, and the step that failed."""
    step = "" if error.step is None else f"step '{error.step}': "
    try:
        phrase = f" ({HTTPStatus(error.upstream_status).phrase})"
    except ValueError:
        phrase = ""
    return f"{step}the upstream responded with {error.upstream_status}{phrase}"


def _upstream_text(error: UpstreamStatusError) -> str:
    first = describe_status(error)
    if not error.body:
        return first
    text = decode(error.body, error.media_type)
    if text is None:
        text = f"[{len(error.body)} bytes of {bare_media_type(error.media_type) or 'unknown content'}]"
    return f"{first}\n{text}"


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


log = logging.getLogger("adapter_host.mcp")


async def call_tool(tool: Tool, given: Arguments, headers: Mapping[str, str], *, any_output: bool) -> bytes:
    """Return the members of the result of a call."""
    try:
        result = await tool.operation.call(tool.arguments(given, headers))
        return success(result, tool, any_output=any_output)
    except OperationError as error:
        return failure(error)


def set_trace_context(params: Mapping[str, Any] | None) -> Token[Mapping[str, str] | None] | None:
    """Let what is called know the trace context that a request brings (SEP-414); gives what takes it back."""
    meta = (params or {}).get("_meta")
    if not isinstance(meta, Mapping) or TRACE[0] not in meta:
        return None
    return TRACE_CONTEXT.set({key: value for key in TRACE if isinstance(value := meta.get(key), str)})


def unexpected(method: str, params: Mapping[str, Any] | None, error: Exception) -> dict[str, Any]:
    """Log what nobody foresaw; gives the error that tells the client where to find it, and no details."""
    reference = new_request_id()
    subject = (params or {}).get("name") or (params or {}).get("uri") or ""
    log.error("%s %r failed (request %s)", method, subject, reference, exc_info=error)
    return {"code": INTERNAL_ERROR, "message": "Internal error", "data": {"request_id": reference}}
