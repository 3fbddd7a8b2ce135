"""Read bodies in the media type of the consumed API: forms, and bytes."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDictProxy

from adapter_host import ABSENT, ArgumentError, bare_media_type, decode_text, is_json, read_body

from .arguments import BODY_PARAMETER
from .body import UnsupportedMediaTypeError, parse_body
from .body_media import MULTIPART, BodyMedia
from .styles import raw_pairs

_MOST_FIELDS: Final = 10_000
"""The fields of a form: more take too long to read."""

_XML: Final = frozenset({"application/xml", "text/xml"})

_IDENTITIES: Final = frozenset({"", "7bit", "8bit", "binary"})
"""The transfer encodings that change nothing; a form should have none at all (RFC 7578, section 4.7)."""


def _too_many() -> ArgumentError:
    return ArgumentError(BODY_PARAMETER, f"the body must have at most {_MOST_FIELDS:,} fields")


@dataclass(frozen=True, slots=True)
class Part:
    """The content of a part of a multipart form; `filename` is that of a file."""

    content: bytes
    filename: str | None
    media_type: str

    def as_text(self) -> str:
        """Return the content as base64; that of a named file as a `data:` URL with its name and type (RFC 2397)."""
        text = b64encode(self.content).decode()
        if self.filename is None:
            return text
        return f"data:{self.media_type};name={quote(self.filename, safe='')};base64,{text}"


async def read_media(request: web.Request, limit: int, media: BodyMedia) -> Any:
    """Return the parsed JSON, or the body in its own media type; raise `ArgumentError`.

    The fields of a form and a text are by name, bytes are base64 text.
    """
    body = await read_body(request, limit)
    if not body:
        return ABSENT
    sent = bare_media_type(request.headers.get("Content-Type", ""))
    if is_json(sent) or ((media.is_form or media.text is not None) and not sent):
        return parse_body(body, sent)
    if media.text is not None:
        return {media.text: _read_text(body, request.headers.get("Content-Type", ""), media)}
    if not media.is_form:
        return b64encode(body).decode()
    _check_media_type(sent, media)
    if sent == MULTIPART:
        return await _read_parts(media, request.headers, body)
    if body.count(b"&") >= _MOST_FIELDS:
        raise _too_many()
    try:
        return _values(media, raw_pairs(body.decode()), {})
    except UnicodeDecodeError:
        raise ArgumentError(BODY_PARAMETER, "the body must be UTF-8") from None


def _check_media_type(sent: str, media: BodyMedia) -> None:
    # The two types of XML are the same (RFC 7303, section 9.2).
    if sent != media.media_type and {sent, media.media_type} != _XML:
        message = f"the body must be {media.media_type} or JSON; set Content-Type"
        raise UnsupportedMediaTypeError(BODY_PARAMETER, message)


def _read_text(body: bytes, content_type: str, media: BodyMedia) -> str:
    _check_media_type(bare_media_type(content_type), media)
    try:
        return decode_text(body, content_type)
    except ValueError:
        charset = "in the charset of its Content-Type" if "charset" in content_type.lower() else "UTF-8"
        raise ArgumentError(BODY_PARAMETER, f"the body must be {charset}") from None


def _values(media: BodyMedia, pairs: Sequence[tuple[str, str]], files: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields; also those of unknown ones, which the route rejects."""
    values = dict(files)
    errors: list[ArgumentError] = []
    for field in media.fields:
        try:
            value = field.from_pairs(pairs)
        except ArgumentError as error:
            errors.append(error)
            continue
        if value is not ABSENT:
            values[field.parameter.request_name] = value
    if errors:
        raise ArgumentError.combine(errors)
    unknown = (name for name, _ in pairs if not any(field.reads(name) for field in media.fields))
    return {**values, **dict.fromkeys(unknown)}


async def _read_parts(media: BodyMedia, headers: CIMultiDictProxy[str], body: bytes) -> dict[str, Any]:
    binary = {field.parameter.request_name: field.parameter for field in media.fields if field.wire.binary}
    pairs: list[tuple[str, str]] = []
    contents: dict[str, list[str]] = {}
    for name, part in await read_parts(headers, body):
        if name in binary:
            contents.setdefault(name, []).append(part.as_text())
            continue
        try:
            pairs.append((name, part.content.decode()))
        except UnicodeDecodeError:
            raise ArgumentError(name, f"'{name}' must be UTF-8") from None
    files = {name: each if binary[name].type == "array" else each[0] for name, each in contents.items()}
    return _values(media, pairs, files)


async def read_parts(headers: CIMultiDictProxy[str], body: bytes) -> list[tuple[str, Part]]:
    """Return the names and contents of the parts of a multipart form."""
    loop = asyncio.get_running_loop()
    # A stream with more than its limit pauses a connection, which this one does not have.
    stream = StreamReader(BaseProtocol(loop), limit=max(2**16, len(body)), loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    parts: list[tuple[str, Part]] = []
    try:
        async for part in MultipartReader(headers, stream):
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise ArgumentError(BODY_PARAMETER, "each part of the body must have a name and no parts of its own")
            if len(parts) == _MOST_FIELDS:
                raise _too_many()
            if _is_encoded(part):
                raise ArgumentError(part.name, f"'{part.name}' must not be encoded; send the part as it is")
            content, media_type = bytes(await part.read()), bare_media_type(part.headers.get("Content-Type", ""))
            parts.append((part.name, Part(content, part.filename, media_type)))
    except (ValueError, web.HTTPException):
        raise ArgumentError(BODY_PARAMETER, "the body is not a multipart form; check its boundary") from None
    return parts


def _is_encoded(part: BodyPartReader) -> bool:
    # A decoded part has no size limit.
    transfer_encoding = part.headers.get("Content-Transfer-Encoding", "").strip().lower()
    return "Content-Encoding" in part.headers or transfer_encoding not in _IDENTITIES
