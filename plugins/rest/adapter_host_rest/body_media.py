"""The media type of the consumed API's bodies, an alternative to JSON for callers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from adapter_host import Input, Operation, WireFormat, bare_media_type, is_json

from .styles import DECODERS, StyledField

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

_REPEATED: Final = WireFormat(style="form", explode=True)
_AS_TEXT: Final = WireFormat()


@dataclass(frozen=True, slots=True)
class BodyMedia:
    """A media type of bodies, and the fields of a form, or the name of the input that is a text.

    Other bodies are bytes.
    """

    media_type: str
    fields: tuple[StyledField, ...] = ()
    text: str | None = None

    @property
    def is_form(self) -> bool:
        """Whether it is a form."""
        return self.media_type in (FORM, MULTIPART)


def json_media_type(operation: Operation) -> str:
    """Return the media type of JSON bodies: that of the only consumed operation, if it is JSON."""
    declared = operation.upstream[0].request_media_type if len(operation.upstream) == 1 else None
    return declared if declared is not None and is_json(declared) else "application/json"


def compile_body_media(operation: Operation, fields: Iterable[Input]) -> BodyMedia | None:
    """Return the media type of the bodies of the only consumed operation, or None where callers send JSON.

    `fields` are the inputs that requests carry in the body.
    """
    fields = tuple(fields)
    media_type = operation.upstream[0].request_media_type if len(operation.upstream) == 1 else None
    if media_type is None:
        return None
    bare = bare_media_type(media_type)
    if bare in (FORM, MULTIPART):
        decode: Callable[[str], str] = DECODERS["query"] if bare == FORM else str
        inputs = [each for each in fields if not each.whole]
        taken = frozenset(each.request_name for each in inputs)
        return BodyMedia(bare, tuple(StyledField(each, _format(each), decode, taken) for each in inputs))
    if len(fields) == 1 and _is_text(fields[0], bare):
        return BodyMedia(bare, text=fields[0].request_name)
    is_bytes = any(each.whole and each.wire is not None and each.wire.binary for each in fields)
    return BodyMedia(bare) if is_bytes else None


def _is_text(field: Input, media_type: str) -> bool:
    """Return whether an input is the text of a body."""
    wire = field.wire
    if wire is None or wire.content_type is None or wire.binary or field.whole or is_json(media_type):
        return False
    return field.type in (None, "string") and bare_media_type(wire.content_type) == media_type


def _format(field: Input) -> WireFormat:
    wire = field.wire or _AS_TEXT
    if wire.style is not None or wire.content_type is not None:
        return wire
    # Without a style, arrays are repeated fields, and objects are JSON.
    return _REPEATED if field.type == "array" else _AS_TEXT
