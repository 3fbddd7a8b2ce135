"""Convert responses in other formats to JSON."""

from __future__ import annotations

import re
from typing import Final

from multidict import CIMultiDict

from adapter_host import Result, bare_media_type
from adapter_host_http.conversions.conversion import Conversion, encode_data
from adapter_host_http.conversions.errors import FormatError
from adapter_host_http.request.body import JSON

from .format import Format
from .pool import ConversionPool

IN_PLACE: Final = 16 * 1024
"""Larger responses are converted in a worker process: no converter can be interrupted."""

_BODY_HEADERS: Final = ("Content-Disposition", "Content-Encoding", "Content-Length", "Content-Type", "ETag")
_OTHER_MEDIA_TYPES: Final = frozenset({JSON, "application/problem+json", "application/xml", "text/html", "text/xml"})
_CHARSET: Final = re.compile(r""";\s*charset=["']?([\w.:-]{1,40})""", re.IGNORECASE)


class Converter:
    """Converts the responses of one API; `limit` bounds the JSON of each in bytes."""

    def __init__(self, api: str, pool: ConversionPool, limit: int) -> None:
        self._api = api
        self._pool = pool
        self._limit = limit

    async def convert(self, result: Result, response_format: Format, conversion: Conversion) -> Result:
        """Return the data of a response as a JSON response, and one without a body unchanged.

        Raise `ValueError`, `ConversionTimeoutError`, or `UnavailableError` if no worker becomes free.
        """
        if not result.body and (result.status == 204 or not response_format.allows_empty):
            return result
        if response_format.info.ambiguous and _is_other_format(result.media_type, response_format):
            raise FormatError("another media type")
        match = _CHARSET.search(result.media_type)
        charset = match[1] if match else None
        headers = CIMultiDict(result.headers)
        for name in _BODY_HEADERS:
            headers.popall(name, None)
        if len(result.body) > IN_PLACE:
            body = await self._pool.convert(self._api, conversion, result.body, charset, self._limit)
        else:
            body = encode_data(conversion.convert(result.body, charset, self._limit), self._limit)
        return Result(status=result.status, body=body, headers=headers)


def _is_other_format(media_type: str, response_format: Format) -> bool:
    bare = bare_media_type(media_type)
    return bare in _OTHER_MEDIA_TYPES and bare not in response_format.info.media_types
