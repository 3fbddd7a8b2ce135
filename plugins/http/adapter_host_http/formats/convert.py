"""Convert responses in other formats to JSON."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import orjson
from multidict import CIMultiDict

from adapter_host import Result, UpstreamInvalidError, bare_media_type
from adapter_host_http.formats import Convert, Format, FormatError
from adapter_host_http.request.body import JSON

THREAD_THRESHOLD: Final = 64 * 1024
"""Larger responses are converted in a thread, so that the event loop is not blocked."""

_BODY_HEADERS: Final = ("Content-Disposition", "Content-Encoding", "Content-Length", "Content-Type", "ETag")
_OTHER_MEDIA_TYPES: Final = frozenset({JSON, "application/problem+json", "application/xml", "text/html", "text/xml"})
_CHARSET: Final = re.compile(r""";\s*charset=["']?([\w.:-]{1,40})""", re.IGNORECASE)


async def convert_result(result: Result, response_format: Format, convert: Convert) -> Result:
    """Return the data of a response as a JSON response, and one without a body unchanged; raise `ValueError`."""
    if not result.body and (result.status == 204 or not response_format.allows_empty):
        return result
    if response_format.info.ambiguous and _is_other_format(result.media_type, response_format):
        raise FormatError("another media type")
    if len(result.body) <= THREAD_THRESHOLD:
        return _convert(result, convert)
    return await asyncio.to_thread(_convert, result, convert)


def _is_other_format(media_type: str, response_format: Format) -> bool:
    bare = bare_media_type(media_type)
    return bare in _OTHER_MEDIA_TYPES and bare not in response_format.info.media_types


def _convert(result: Result, convert: Convert) -> Result:
    charset = _CHARSET.search(result.media_type)
    headers = CIMultiDict(result.headers)
    for name in _BODY_HEADERS:
        headers.popall(name, None)
    converted = Result(
        status=result.status, data=convert(result.body, charset[1] if charset else None), headers=headers
    )
    try:
        # Encode now and keep the result, so that a value beyond JSON is an error of the upstream.
        _ = converted.body
    except (orjson.JSONEncodeError, UpstreamInvalidError):
        raise FormatError("a value cannot be represented in JSON") from None
    return converted
