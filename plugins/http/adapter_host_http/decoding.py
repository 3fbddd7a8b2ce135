"""Decode and convert the responses of an API."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from adapter_host import Result, UpstreamInvalidError, UpstreamTimeoutError, decode_json

from .conversions.conversion import Conversion
from .conversions.errors import FormatError, TooLargeError
from .formats import Format
from .formats.convert import Converter
from .formats.pool import ConversionTimeoutError

_MEDIA_TYPE: Final = re.compile(r"[\w.+/-]{1,80}")


class ResponseDecoding:
    """Decodes the responses of one API; `limit` is in bytes of JSON, `timeout` that of a call in seconds."""

    def __init__(self, namespace: str, converter: Converter, limit: int, timeout: float) -> None:
        self._namespace = namespace
        self._converter = converter
        self._limit = limit
        self._timeout = timeout

    def decoder(self, response_format: Format, media_type: str) -> Callable[[bytes], Any]:
        """Return the function that parses a response where its data is read; others are passed on unchanged."""
        return response_format.decode or partial(self._parse_json, response_format, media_type)

    def _parse_json(self, response_format: Format, media_type: str, body: bytes) -> Any:
        try:
            return decode_json(body, media_type)
        except ValueError as error:
            raise self._format_error(response_format, media_type, error) from None

    async def convert(self, result: Result, response_format: Format, conversion: Conversion, deadline: float) -> Result:
        """Convert a response to JSON; raise `UpstreamError`."""
        title = response_format.info.title
        try:
            async with asyncio.timeout_at(deadline):
                return await self._converter.convert(result, response_format, conversion)
        except TooLargeError:
            raise UpstreamInvalidError(
                f"the response of the upstream '{self._namespace}' is larger than {self._limit} bytes as JSON"
            ) from None
        except TimeoutError:
            within = f"within {self._timeout:g} s"
            raise UpstreamTimeoutError(
                f"the response of the upstream '{self._namespace}' was not converted {within}", sent=True
            ) from None
        except ConversionTimeoutError:
            raise UpstreamInvalidError(
                f"the response of the upstream '{self._namespace}' cannot be converted from {title} in time"
            ) from None
        except ValueError as error:
            raise self._format_error(response_format, result.media_type, error) from None

    def _format_error(self, response_format: Format, media_type: str, error: Exception) -> UpstreamInvalidError:
        match = _MEDIA_TYPE.match(media_type)
        # Other errors may quote the response.
        reason = f"; {error}" if isinstance(error, FormatError) else ""
        received = f"received {match[0] if match else '?'}{reason}"
        return UpstreamInvalidError(
            f"the response of the upstream '{self._namespace}' is not {response_format.info.title} ({received})"
        )
