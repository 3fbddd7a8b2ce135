"""Results of `tools/call`: members of the result object, serialized as JSON."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import orjson

from adapter_host import (
    OperationError,
    Result,
    UpstreamStatusError,
    bare_media_type,
    charset_of,
    count_noun,
    current_call,
    decode_json,
    decode_text,
    encode_json,
    error_details,
)
from adapter_host_mcp.protocol import ERROR_KEY

from .output_schema import Conform
from .tools import ResultForm, Tool

log = logging.getLogger("adapter_host.mcp")

_TEXT_TYPES: Final = re.compile(
    r"text/.*|.*[+/](json|xml|yaml)|application/(x-)?(javascript|ndjson|jsonl|yaml|www-form-urlencoded|graphql)"
)
_JSON_TYPES: Final = re.compile(r".*[+/]json")
_OCTETS: Final = "application/octet-stream"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def success_members(
    result: Result, tool: Tool, *, allow_any_json: bool, notes: Sequence[Mapping[str, Any]] = ()
) -> tuple[bytes, str | None]:
    """Serialize a successful call, and return a message for a violation of the output schema.

    With `allow_any_json` structured content may be any JSON, not only an object. `notes` follow the content.
    """
    body = result.body
    blocks = _content(result, body, tool)
    content = orjson.dumps([*blocks, *notes] if notes else blocks)
    structured, violation = b"", None
    if tool.results == "text" or tool.operation.binary:
        pass
    elif tool.conform is not None:
        structured, violation = _declared_structured(result, body, tool, tool.conform, allow_any_json)
    elif _JSON_TYPES.fullmatch(bare_media_type(result.media_type)):
        structured = _structured(body, result.media_type, allow_any_json)
    if structured and tool.results == "structured":
        content = orjson.dumps(notes)
    return b'"content":%b%b,"isError":false' % (content, structured), violation


async def result_members(result: Result, tool: Tool, form: ResultForm) -> tuple[bytes, str | None]:
    """Serialize a successful call within the budget of its tool, and return a message for a violation."""
    if len(result.body) > tool.most_bytes and tool.budget is not None:
        return await tool.budget.members(result, tool, form)
    members, violation = success_members(result, tool, allow_any_json=form.allow_any_json)
    return members + form.result_meta, violation


def empty_members(
    result: Result, tool: Tool, *, allow_any_json: bool, notes: Sequence[Mapping[str, Any]]
) -> tuple[bytes, str | None]:
    """Serialize a successful call with `notes` in place of its content.

    Structured content is the emptiest that the output schema allows, or else that of the result.
    """
    content, structured, violation = orjson.dumps(notes), b"", None
    if tool.results != "text" and not tool.operation.binary and tool.conform is not None:
        is_empty = tool.violation({} if tool.returns_object else None) is None
        replaced = result.replace(data={} if tool.returns_object else None) if is_empty else result
        structured, violation = _declared_structured(replaced, replaced.body, tool, tool.conform, allow_any_json)
    return b'"content":%b%b,"isError":false' % (content, structured), violation


def error_members(error: OperationError, result_meta: bytes = b"") -> bytes:
    """Serialize a failed call as a tool error: a text for the model, and the details for its client in `_meta`.

    `result_meta` are the members that every result has, which begin with a comma.
    """
    text = _upstream_text(error) if isinstance(error, UpstreamStatusError) else error.message
    members = orjson.loads(b"{%b}" % result_meta.removeprefix(b","))
    # As in the log, which has the errors of the host and of the API only.
    request_id = {"request_id": current_call().request_id} if error.status >= 500 else {}
    meta = {**members.get("_meta", {}), ERROR_KEY: {**error_details(error), **request_id}}
    return orjson.dumps({"content": [text_content(text)], "isError": True, **members, "_meta": meta})[1:-1]


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
    result: Result, body: bytes, tool: Tool, conform: Conform, allow_any_json: bool
) -> tuple[bytes, str | None]:
    """Return structured content that meets the output schema: clients raise for any other, and for none."""
    body = body or b"null"
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


def _content(result: Result, body: bytes, tool: Tool) -> list[dict[str, Any]]:
    if not body:
        return []
    media_type = result.media_type
    text = _decode_declared_bytes(result) if tool.operation.binary else _decode_any(body, media_type)
    if text is not None:
        return [text_content(text)]
    bare_type = bare_media_type(media_type)
    encoded = base64.b64encode(body).decode()
    if (family := bare_type.partition("/")[0]) in ("image", "audio"):
        return [{"type": family, "data": encoded, "mimeType": bare_type}]
    # The URI cannot be read, but must be unique: a client might treat equal URIs as the same content.
    blob = {"uri": f"{tool.blob_uri}/{uuid4()}", "blob": encoded, "mimeType": bare_type or _OCTETS}
    return [{"type": "resource", "resource": blob}]


def content_text(result: Result, tool: Tool) -> str | None:
    """Return a result as text; None for other content, such as an image."""
    return _decode_declared_bytes(result) if tool.operation.binary else _decode_any(result.body, result.media_type)


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


def text_content(text: str) -> dict[str, Any]:
    """Return a block of content with a text."""
    return {"type": "text", "text": text}
