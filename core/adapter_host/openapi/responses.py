"""Successful responses of operations, for the mock server and the output format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from .documents import Cursor
from .media import format_of, is_json
from .model import Response
from .samples import NO_EXAMPLE, declared_example, make_example

_MAX_EXAMPLE_BYTES: Final = 16 * 1024
"""Bytes of JSON; a larger example would dominate the document."""

_WRAPPED: Final = frozenset({"status", "body"})


@dataclass(frozen=True, slots=True)
class ResponseMedia:
    """A media type of a response; its example is in `holder`, or is `example` itself."""

    media_type: str
    schema: Cursor | None
    holder: Cursor | None = None
    example: Cursor | None = None

    def make_example(self) -> Any:
        """Return an example, or NO_EXAMPLE."""
        example = declared_example(self.holder) if self.holder else self.example.value if self.example else NO_EXAMPLE
        if example is not NO_EXAMPLE or not is_json(self.media_type):
            return example
        return make_example(self.schema)


def success_response(operation: Cursor) -> tuple[int, Cursor] | None:
    """Return status and value of the first successful response, or None."""
    responses = {code: cursor for code, cursor in operation.named("responses") if isinstance(cursor.value, dict)}
    codes = sorted(code for code in responses if re.fullmatch(r"2\d\d", code))
    code = next((code for code in (*codes, "2XX", "2xx", "default") if code in responses), None)
    return None if code is None else (int(code) if code in codes else 200, responses[code])


def make_response(status: int, media: Sequence[ResponseMedia]) -> Response:
    """Return format and example of a response."""
    if not media:
        return Response(example=None if status == 200 else {"status": status})
    chosen = next((item for item in media if is_json(item.media_type)), media[0])
    format_ = format_of(chosen.media_type)
    example = chosen.make_example()
    if example is NO_EXAMPLE or _json_size(example) > _MAX_EXAMPLE_BYTES:
        return Response(format_, None if status == 200 else {"status": status})
    wrapped = status != 200 or (isinstance(example, dict) and "status" in example and example.keys() <= _WRAPPED)
    return Response(format_, {"status": status, "body": example} if wrapped or example is None else example)


def _json_size(example: Any) -> int:
    try:
        return len(orjson.dumps(example))
    except (TypeError, orjson.JSONEncodeError):
        return _MAX_EXAMPLE_BYTES + 1
