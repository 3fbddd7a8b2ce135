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
from adapter_host_mcp.protocol import INTERNAL_ERROR, TRACE_KEYS

from .tools import Tool

_TEXT_TYPES: Final = re.compile(
    r"text/.*|.*[+/](json|xml|yaml)|application/(x-)?(javascript|ndjson|jsonl|yaml|www-form-urlencoded|graphql)"
)


_JSON_TYPES: Final = re.compile(r".*[+/]json")


_CHARSET: Final = re.compile(r""";\s*charset=["']?([^\s;"']+)""", re.IGNORECASE)


def success_members(result: Result, tool: Tool, *, allow_any_json: bool) -> bytes:
    """The members for a call that succeeded; with `any_output` structured content need not be an object."""
    bare_type = bare_media_type(result.media_type)
    binary = tool.operation.binary
    content = orjson.dumps(_content(result.body, result.media_type, tool))
    structured = (
        _structured(result.body, tool, allow_any_json) if _JSON_TYPES.fullmatch(bare_type) and not binary else b""
    )
    return b'"content":%b%b,"isError":false' % (content, structured)


def error_members(error: OperationError) -> bytes:
    """The members for a call that failed, told in words that a model can act on."""
    text = _upstream_text(error) if isinstance(error, UpstreamStatusError) else error.message
    return b'"content":%b,"isError":true' % orjson.dumps([_text_content(text)])


def _structured(body: bytes, tool: Tool, allow_any_json: bool) -> bytes:
    # Parsed here, and not by `Result.data`, whose decoder may be another: these very bytes are embedded.
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return b""
    tool.log_violation(data)
    if tool.wraps_output and not allow_any_json:
        return b',"structuredContent":{"result":%b}' % body
    is_allowed = isinstance(data, dict) or (allow_any_json and (data is not None or tool.wraps_output))
    return b',"structuredContent":' + body if is_allowed else b""


def _content(body: bytes, media_type: str, tool: Tool) -> list[dict[str, Any]]:
    if not body:
        return []
    text = _decode_declared_bytes(body, media_type) if tool.operation.binary else decode(body, media_type)
    if text is not None:
        return [_text_content(text)]
    bare_type = bare_media_type(media_type)
    encoded = base64.b64encode(body).decode()
    if (family := bare_type.partition("/")[0]) in ("image", "audio"):
        return [{"type": family, "data": encoded, "mimeType": bare_type}]
    # Nobody can read it again by its URI, so no two may have one: a client might take them for the same.
    blob = {"uri": f"{tool.blob_uri}/{uuid4()}", "blob": encoded, "mimeType": bare_type or "application/octet-stream"}
    return [{"type": "resource", "resource": blob}]


def decode(body: bytes, media_type: str) -> str | None:
    """The body as text, or None when it is none; what has no media type is text if it can be."""
    bare_type = bare_media_type(media_type)
    if not bare_type:
        try:
            return body.decode()
        except UnicodeDecodeError:
            return None
    return _decode_lenient(body, media_type) if _TEXT_TYPES.fullmatch(bare_type) else None


def _decode_declared_bytes(body: bytes, media_type: str) -> str | None:
    """What was declared to be bytes, as text: only what has no other format, and is text to the last byte."""
    if not bare_media_type(media_type).startswith("text/"):
        return None
    charset = _CHARSET.search(media_type)
    try:
        return body.decode(charset[1] if charset else "utf-8")
    except (LookupError, UnicodeError):
        return None


def _decode_lenient(body: bytes, media_type: str) -> str:
    charset = _CHARSET.search(media_type)
    try:
        return body.decode(charset[1] if charset else "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        return body.decode(errors="replace")


def describe_status(error: UpstreamStatusError) -> str:
    """What the upstream answered, without its words, and in which step."""
    step = "" if error.step is None else f"step '{error.step}': "
    try:
        phrase = f" ({HTTPStatus(error.upstream_status).phrase})"
    except ValueError:
        phrase = ""
    return f"{step}the upstream answered {error.upstream_status}{phrase}"


def _upstream_text(error: UpstreamStatusError) -> str:
    summary = describe_status(error)
    if not error.body:
        return summary
    text = decode(error.body, error.media_type)
    if text is None:
        text = f"[{len(error.body)} bytes of {bare_media_type(error.media_type) or 'unknown content'}]"
    return f"{summary}\n{text}"


def _text_content(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


log = logging.getLogger("adapter_host.mcp")


async def call_tool(tool: Tool, arguments: Arguments, headers: Mapping[str, str], *, allow_any_json: bool) -> bytes:
    """The members of the result of a call."""
    try:
        result = await tool.operation.call(tool.arguments(arguments, headers))
        return success_members(result, tool, allow_any_json=allow_any_json)
    except OperationError as error:
        return error_members(error)


def set_trace_context(params: Mapping[str, Any] | None) -> Token[Mapping[str, str] | None] | None:
    """Let what is called know the trace context that a request brings (SEP-414); gives what takes it back."""
    meta = (params or {}).get("_meta")
    if not isinstance(meta, Mapping) or TRACE_KEYS[0] not in meta:
        return None
    return TRACE_CONTEXT.set({key: value for key in TRACE_KEYS if isinstance(value := meta.get(key), str)})


def report_internal_error(method: str, params: Mapping[str, Any] | None, error: Exception) -> dict[str, Any]:
    """Log what nobody foresaw; gives the error that tells the client where to find it, and no details."""
    request_id = new_request_id()
    subject = (params or {}).get("name") or (params or {}).get("uri") or ""
    log.error("%s %r failed (request %s)", method, subject, request_id, exc_info=error)
    return {"code": INTERNAL_ERROR, "message": "Internal error", "data": {"request_id": request_id}}
