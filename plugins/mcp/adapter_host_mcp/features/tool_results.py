"""Results of `tools/call`: members of the result object, serialized as JSON."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Mapping
from contextvars import Token
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import orjson

from adapter_host import (
    TRACE_CONTEXT,
    ApprovalRequiredError,
    Arguments,
    OperationError,
    RefusedError,
    Result,
    UpstreamStatusError,
    bare_media_type,
    charset_of,
    count_noun,
    current_call,
    decode_json,
    decode_text,
    encode_json,
    note_call,
)
from adapter_host_mcp.protocol import INTERNAL_ERROR, TRACE_KEYS

from .events import OnEvent, collect_events
from .output_schema import Conform
from .tools import Tool

log = logging.getLogger("adapter_host.mcp")

BeginTask = Callable[[Tool, Arguments, Result], bytes | None]
"""Returns the members of the result if a call has begun a task, else None."""

_TEXT_TYPES: Final = re.compile(
    r"text/.*|.*[+/](json|xml|yaml)|application/(x-)?(javascript|ndjson|jsonl|yaml|www-form-urlencoded|graphql)"
)
_JSON_TYPES: Final = re.compile(r".*[+/]json")
_OCTETS: Final = "application/octet-stream"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def success_members(result: Result, tool: Tool, *, allow_any_json: bool) -> tuple[bytes, str | None]:
    """Serialize a successful call, and return a message for a violation of the output schema.

    With `allow_any_json` structured content may be any JSON, not only an object.
    """
    content = orjson.dumps(_content(result, tool))
    structured, violation = b"", None
    if tool.results == "text" or tool.operation.binary:
        pass
    elif tool.conform is not None:
        structured, violation = _declared_structured(result, tool, tool.conform, allow_any_json)
    elif _JSON_TYPES.fullmatch(bare_media_type(result.media_type)):
        structured = _structured(result.body, result.media_type, allow_any_json)
    if structured and tool.results == "structured":
        content = b"[]"
    return b'"content":%b%b,"isError":false' % (content, structured), violation


def error_members(error: OperationError) -> bytes:
    """Serialize a failed call as a tool error, with a text for the model."""
    text = _upstream_text(error) if isinstance(error, UpstreamStatusError) else error.message
    return b'"content":%b,"isError":true' % orjson.dumps([_text_content(text)])


def _structured(body: bytes, media_type: str, allow_any_json: bool) -> bytes:
    # Not `Result.data`, which may use another parser: these bytes are embedded, so orjson must accept them.
    try:
        if charset_of(body, media_type) is not None:
            body = decode_text(body, media_type).encode()
        data = orjson.loads(body)
    except ValueError:
        return b""
    is_allowed = isinstance(data, dict) or (allow_any_json and data is not None)
    return b',"structuredContent":' + body if is_allowed else b""


def _declared_structured(
    result: Result, tool: Tool, conform: Conform, allow_any_json: bool
) -> tuple[bytes, str | None]:
    """Return structured content that meets the output schema: clients raise for any other, and for none."""
    body = result.body or b"null"
    try:
        data = result.data if result.holds_data else orjson.loads(body)
    except ValueError:
        body, data = b"null", None
    if (violation := tool.violation(data)) is not None:
        conformed = conform(result.data if result.holds_data else decode_json(body))
        if tool.operation.result_schema is None:
            log.warning("tool '%s': %s", tool.name, violation)
        if tool.operation.result_schema is None or tool.violation(conformed) is None:
            data, body = conformed, encode_json(conformed)
    if tool.wraps_output(allow_any_json=allow_any_json):
        return b',"structuredContent":{"result":%b}' % body, violation
    if tool.returns_object and not isinstance(data, dict):
        body = b"{}"
    return b',"structuredContent":' + body, violation


def _content(result: Result, tool: Tool) -> list[dict[str, Any]]:
    body, media_type = result.body, result.media_type
    if not body:
        return []
    text = _decode_declared_bytes(result) if tool.operation.binary else _decode_any(body, media_type)
    if text is not None:
        return [_text_content(text)]
    bare_type = bare_media_type(media_type)
    encoded = base64.b64encode(body).decode()
    if (family := bare_type.partition("/")[0]) in ("image", "audio"):
        return [{"type": family, "data": encoded, "mimeType": bare_type}]
    # The URI cannot be read, but must be unique: a client might treat equal URIs as the same content.
    blob = {"uri": f"{tool.blob_uri}/{uuid4()}", "blob": encoded, "mimeType": bare_type or _OCTETS}
    return [{"type": "resource", "resource": blob}]


def decode(body: bytes, media_type: str) -> str | None:
    """Decode a body of a text type, or of no type if it is UTF-8; return None for other bodies."""
    bare_type = bare_media_type(media_type)
    if not bare_type:
        return _decode_strict(body, media_type)
    return decode_text(body, media_type, "replace") if _TEXT_TYPES.fullmatch(bare_type) else None


def _decode_any(body: bytes, media_type: str) -> str | None:
    """Decode like `decode`; decode bytes of unknown content (`application/octet-stream`) if they are text."""
    if bare_media_type(media_type) != _OCTETS:
        return decode(body, media_type)
    text = _decode_strict(body, media_type)
    return None if text is None or _CONTROL.search(text) else text


def _decode_declared_bytes(result: Result) -> str | None:
    """Decode the body of a binary operation if its type is text, declared or sent, and every byte is valid."""
    for media_type in (result.media_type, result.sent_media_type):
        if _TEXT_TYPES.fullmatch(bare_media_type(media_type)):
            return _decode_strict(result.body, media_type)
    return None


def _decode_strict(body: bytes, media_type: str) -> str | None:
    try:
        return decode_text(body, media_type)
    except ValueError:
        return None


def describe_status(error: UpstreamStatusError) -> str:
    """Return the upstream's status and the step, without the upstream's body."""
    step = "" if error.step is None else f"step '{error.step}': "
    try:
        phrase = f" ({HTTPStatus(error.upstream_status).phrase})"
    except ValueError:
        phrase = ""
    return f"{step}the upstream returned {error.upstream_status}{phrase}"


def _upstream_text(error: UpstreamStatusError) -> str:
    summary = describe_status(error)
    if not error.body:
        return summary
    text = decode(error.body, error.media_type)
    if text is None:
        size = count_noun(len(error.body), "byte")
        text = f"[{size} of {bare_media_type(error.media_type) or 'unknown content'}]"
    return f"{summary}\n{text}"


def _text_content(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


async def call_tool(
    tool: Tool,
    arguments: Arguments,
    headers: Mapping[str, str],
    *,
    allow_any_json: bool,
    on_failure: Callable[[str], None] | None = None,
    on_event: OnEvent | None = None,
    begin_task: BeginTask | None = None,
    asks: bool = False,
) -> tuple[bytes, str | None]:
    """Call a tool; return the serialized members of the result, and a message for a violation of its schema.

    With `asks`, raise `ApprovalRequiredError`, as the client may ask a person; otherwise it is an error of the tool.
    `on_failure` receives the id of a failed call, which is also in the log if the host or the API is the cause.
    `on_event` is awaited with the number and the text of each event, if the API sends a stream of events. `begin_task`
    is that of a client with tasks; its members are the result if the call has begun one.
    """
    try:
        if tool.router is not None:
            tool, arguments = tool.router.redirect(arguments)
        if tool.task is not None and tool.task.required and begin_task is None:
            raise RefusedError("the tool needs a client with the Tasks extension of MCP")
        called = tool.arguments(arguments, headers)
        result = await tool.operation.call(called)
        if tool.task is not None and begin_task is not None and (members := begin_task(tool, called, result)):
            return members, None
        if result.stream is not None:
            result = await collect_events(result, tool.event_limit, on_event)
        return success_members(result, tool, allow_any_json=allow_any_json)
    except OperationError as error:
        if asks and isinstance(error, ApprovalRequiredError):
            raise
        request_id = current_call().request_id
        if error.status >= 500:
            log.warning("request %s: %s: %s", request_id, tool.name, error.message)
        if on_failure is not None:
            on_failure(request_id)
        return error_members(error), None


def set_trace_context(params: Mapping[str, Any] | None) -> Token[Mapping[str, str] | None] | None:
    """Set `TRACE_CONTEXT` from the `_meta` of a request (SEP-414); return the token that resets it."""
    meta = (params or {}).get("_meta")
    if not isinstance(meta, Mapping) or TRACE_KEYS[0] not in meta:
        return None
    return TRACE_CONTEXT.set({key: value for key in TRACE_KEYS if isinstance(value := meta.get(key), str)})


def report_internal_error(method: str, params: Mapping[str, Any] | None, error: Exception) -> dict[str, Any]:
    """Log an unexpected error; return the JSON-RPC error, which has only the request id of the log entry."""
    request_id = current_call().request_id
    subject = (params or {}).get("name") or (params or {}).get("uri") or ""
    log.error("%s %r failed (request %s)", method, subject, request_id, exc_info=error)
    note_call(error=INTERNAL_ERROR)
    return {"code": INTERNAL_ERROR, "message": "Internal error", "data": {"request_id": request_id}}
