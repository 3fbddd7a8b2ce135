"""Answers in other formats, as JSON."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import orjson
from multidict import CIMultiDict

from adapter_host import Result, bare_media_type
from adapter_host_http.formats import Convert, Format, FormatError
from adapter_host_http.request.body import JSON

LARGE: Final = 64 * 1024
"""An answer of more bytes is converted in a thread, so that other calls go on."""

_OF_THE_BYTES: Final = ("Content-Disposition", "Content-Encoding", "Content-Length", "Content-Type", "ETag")
_OTHERS: Final = frozenset({JSON, "application/problem+json", "application/xml", "text/html", "text/xml"})
_CHARSET: Final = re.compile(r""";\s*charset=["']?([\w.:-]{1,40})""", re.IGNORECASE)


async def converted(result: Result, raw_format: Format, convert: Convert) -> Result:
    """Return an answer's data as a JSON answer of its own; raises `ValueError`. One without a body stays as it is."""
    if not result.body and (result.status == 204 or not raw_format.empty):
        return result
    if raw_format.kind.lax and _is_other(result.media_type, raw_format):
        raise FormatError("that is another format")
    if len(result.body) <= LARGE:
        return _converted(result, convert)
    return await asyncio.to_thread(_converted, result, convert)


def _is_other(media_type: str, raw_format: Format) -> bool:
    named = bare_media_type(media_type)
    return named in _OTHERS and named not in raw_format.kind.media_types


def _converted(result: Result, convert: Convert) -> Result:
    charset = _CHARSET.search(result.media_type)
    headers = CIMultiDict(result.headers)
    for name in _OF_THE_BYTES:
        headers.popall(name, None)
    made = Result(status=result.status, data=convert(result.body, charset[1] if charset else None), headers=headers)
    try:
        # Written here, and kept, so that what JSON cannot hold is the upstream's failure.
        _ = made.body
    except orjson.JSONEncodeError:
        raise FormatError("it holds what JSON cannot") from None
    return made
