"""What operations are answered when they succeed, for the stand-in and the outputs' format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from .documents import Cursor
from .media import format_of, is_json
from .model import Answer
from .samples import NOTHING, given, sample

_LARGEST: Final = 16 * 1024
"""Bytes of JSON; what is larger would bury the document that it stands in."""

_WRAPPED: Final = frozenset({"status", "body"})


@dataclass(frozen=True, slots=True)
class Media:
    """One form of an answer; its example is that of `holder`, or `example` itself."""

    media_type: str
    schema: Cursor | None
    holder: Cursor | None = None
    example: Cursor | None = None

    def sample(self) -> Any:
        """Return an example of it, or NOTHING."""
        own = given(self.holder) if self.holder else self.example.value if self.example else NOTHING
        if own is not NOTHING or not is_json(self.media_type):
            return own
        return sample(self.schema)


def success(operation: Cursor) -> tuple[int, Cursor] | None:
    """Return the first of the answers that mean success."""
    responses = {code: at for code, at in operation.named("responses") if isinstance(at.value, dict)}
    codes = sorted(code for code in responses if re.fullmatch(r"2\d\d", code))
    code = next((code for code in (*codes, "2XX", "2xx", "default") if code in responses), None)
    return None if code is None else (int(code) if code in codes else 200, responses[code])


def answer_of(status: int, media: Sequence[Media]) -> Answer:
    """Return the format and the example of an answer."""
    if not media:
        return Answer(example=None if status == 200 else {"status": status})
    chosen = next((each for each in media if is_json(each.media_type)), media[0])
    form = format_of(chosen.media_type)
    example = chosen.sample()
    if example is NOTHING or _size(example) > _LARGEST:
        return Answer(form, None if status == 200 else {"status": status})
    wrapped = status != 200 or (isinstance(example, dict) and "status" in example and example.keys() <= _WRAPPED)
    return Answer(form, {"status": status, "body": example} if wrapped or example is None else example)


def _size(example: Any) -> int:
    try:
        return len(orjson.dumps(example))
    except (TypeError, orjson.JSONEncodeError):
        return _LARGEST + 1
