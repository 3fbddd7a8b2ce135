"""Results of MCP servers as results of operations."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    GetPromptResult,
    ImageContent,
    ReadResourceResult,
    TextContent,
    TextResourceContents,
)

from adapter_host import Result, UpstreamInvalidError, is_json, parse_json

from .failures import tool_error

_OCTETS: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"


def tool_result(result: CallToolResult) -> Result:
    """Return the result of a tool; raise `UpstreamStatusError` if it is an error of the tool.

    Structured content comes first. One text is JSON if it is an object or an array, else text; one image, audio or
    blob is bytes of its type. Several contents are a list of contents as in the protocol.
    """
    if result.is_error:
        texts = (content.text for content in result.content if isinstance(content, TextContent))
        raise tool_error("\n".join(texts), result.structured_content)
    if result.structured_content is not None:
        return Result(data=result.structured_content)
    if len(result.content) == 1:
        return _single(result.content[0])
    return (
        Result(data=[_plain(content) for content in result.content]) if result.content else Result(status=204, body=b"")
    )


def resource_result(result: ReadResourceResult) -> Result:
    """Return the result of reading a resource: its text or bytes, or a list of several."""
    if len(result.contents) == 1:
        return _contents(result.contents[0])
    return Result(data=[_plain(contents) for contents in result.contents])


def prompt_result(result: GetPromptResult) -> Result:
    """Return the messages of a prompt, as in the protocol."""
    data = _plain(result)
    return Result(data={key: data[key] for key in ("description", "messages") if key in data})


def _single(content: ContentBlock) -> Result:
    if isinstance(content, TextContent):
        return _parsed(content.text)
    if isinstance(content, ImageContent | AudioContent):
        return Result(body=_decoded(content.data), media_type=content.mime_type)
    if isinstance(content, EmbeddedResource):
        return _contents(content.resource)
    return Result(data=_plain(content))


def _contents(contents: TextResourceContents | BlobResourceContents) -> Result:
    if isinstance(contents, BlobResourceContents):
        return Result(body=_decoded(contents.blob), media_type=contents.mime_type or _OCTETS)
    media_type = contents.mime_type or _TEXT
    body = contents.text.encode()
    if is_json(media_type):
        return Result(body=body, media_type=media_type)
    return Result(body=body, media_type=media_type, decode=lambda text: text.decode())


def _parsed(text: str) -> Result:
    """Return a text; one that is an object or an array of JSON is data, as older servers have no structured content."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return Result(data=parse_json(text))
        except ValueError:
            # It only looks like JSON.
            pass
    return Result(data=text)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise UpstreamInvalidError("the bytes in the response of the MCP server are not base64") from None


def _plain(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"meta", "result_type"})
