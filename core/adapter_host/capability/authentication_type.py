"""The types of `authentication`, in any case in documents."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticKnownError

_AS_WRITTEN: Final = ("bearer", "apikey", "basic", "digest", "oauth2", "mutualTLS")
"""The types as the language writes them; models have them in lower case."""

_KNOWN: Final = tuple(map(str.lower, _AS_WRITTEN))

_SCHEMA: Final = {"type": "string", "enum": [*_AS_WRITTEN]}


def _lower(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lower() not in _KNOWN:
        *others, last = map(repr, _AS_WRITTEN)
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
    return value.lower()


AuthenticationType = Annotated[
    Literal["bearer", "apikey", "basic", "digest", "oauth2", "mutualtls"],
    BeforeValidator(_lower),
    WithJsonSchema(_SCHEMA),
]
