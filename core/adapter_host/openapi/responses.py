"""Successful responses of operations, for the mock server and the output format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .media import JSON, format_of, is_json
from .model import Response
from .schema.json_schema import SchemaConverter
from .schema.json_values import NO_VALUE, json_size, json_value
from .schema.samples import NO_EXAMPLE, declared_example, make_example
from .schema.schemas import type_of
from .source.documents import Cursor

_MAX_EXAMPLE_SIZE: Final = 16 * 1024
"""Characters of JSON; a larger example would dominate the document."""

_UNDESCRIBED: Final = f"{JSON}, */*;q=0.1"
"""The Accept header of a response that may be of any type."""

_WRAPPED: Final = frozenset({"status", "body"})


@dataclass(frozen=True, slots=True)
class ResponseMedia:
    """A media type of a response; its example is in `holder`, or is `example` itself.

    The references of `schema` are not followed.
    """

    media_type: str
    schema: Cursor | None
    holder: Cursor | None = None
    example: Cursor | None = None

    def make_example(self) -> Any:
        """Return an example, or NO_EXAMPLE."""
        example = declared_example(self.holder) if self.holder else self.example.value if self.example else NO_EXAMPLE
        if example is not NO_EXAMPLE or not is_json(self.media_type):
            return example
        return make_example(self.schema.documents.resolve(self.schema)) if self.schema else NO_EXAMPLE


def success_response(operation: Cursor) -> tuple[int, Cursor] | None:
    """Return status and value of the first successful response, or None."""
    responses = {code: cursor for code, cursor in operation.named("responses") if isinstance(cursor.value, dict)}
    codes = sorted(code for code in responses if re.fullmatch(r"2\d\d", code))
    code = next((code for code in (*codes, "2XX", "2xx", "default") if code in responses), None)
    return None if code is None else (int(code) if code in codes else 200, responses[code])


def make_response(
    status: int, media: Sequence[ResponseMedia], converter: SchemaConverter, types: Sequence[str] = ()
) -> Response:
    """Return format, schema and example of a response; `types` are those of one without a schema."""
    status_example = None if status == 200 else {"status": status}
    if not media:
        has_json = any(is_json(media_type) for media_type in types)
        accept = _UNDESCRIBED if not types else None if has_json else types[0]
        return Response(accept=accept, example=status_example)
    chosen = next((item for item in media if is_json(item.media_type)), media[0])
    format_ = format_of(chosen.media_type)
    schema = _result_schema(chosen, format_, converter)
    example = json_value(chosen.make_example())
    if example is NO_VALUE or json_size(example) > _MAX_EXAMPLE_SIZE:
        return Response(format_, _accept(chosen.media_type), schema, status_example)
    wrapped = status != 200 or (isinstance(example, dict) and "status" in example and example.keys() <= _WRAPPED)
    example = {"status": status, "body": example} if wrapped or example is None else example
    return Response(format_, _accept(chosen.media_type), schema, example)


def _accept(media_type: str) -> str | None:
    """Return the Accept header for a media type; None if it is that of its format."""
    if media_type in ("*/*", "application/*"):
        return _UNDESCRIBED
    return None if media_type == JSON or format_of(media_type) not in ("json", "binary") else media_type


def _result_schema(media: ResponseMedia, format_: str, converter: SchemaConverter) -> Mapping[str, Any] | None:
    """Return the schema of the data that callers receive; None if none is declared, or other data is received."""
    if media.schema is None or format_ not in ("json", "yaml"):
        return None
    schema = converter.convert(media.schema)
    if not isinstance(schema, dict) or not schema:
        return None
    # A response of any type is JSON only if it is more than a text.
    is_described = "*" not in media.media_type or type_of(media.schema.documents.resolve(media.schema)) != "string"
    return schema if is_described else None
