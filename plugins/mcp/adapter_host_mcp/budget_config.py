"""`x-budget`: the size of results that a model reads."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from adapter_host import BinarySize, Model, parse_size

BYTES_PER_TOKEN: Final = 3
"""The bytes of JSON that count as a token: tokenizers take 2 for digits and hashes, 3 for records, 6 for prose."""

DEFAULT_TOKENS: Final = 100_000
"""The budget of tools that declare none."""

LEAST_TOKENS: Final = 100

HELD_FOR: Final = 600.0
"""The seconds for which complete results are held."""

LONGEST_HELD: Final = 86_400.0

_DIGITS: Final = re.compile(r"\d+")


class BudgetSpec(Model):
    """The budget of results, in `tokens` or as a `size`; `false` is not `enabled`.

    Complete results are held for `held_for` seconds. With `select` callers choose the fields of results.
    """

    enabled: bool = True
    tokens: int | None = Field(None, ge=LEAST_TOKENS)
    size: BinarySize | None = None
    held_for: float = Field(HELD_FOR, gt=0, le=LONGEST_HELD, allow_inf_nan=False)
    select: bool = False

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.tokens is not None and self.size is not None:
            raise ValueError("'tokens' and 'size' are mutually exclusive; set one of them")
        if self.size is not None and parse_size(self.size) < LEAST_TOKENS * BYTES_PER_TOKEN:
            raise ValueError(f"'size' is less than {LEAST_TOKENS * BYTES_PER_TOKEN} bytes; use a larger one")
        return self

    @property
    def limit(self) -> int:
        """The most bytes of a result as JSON."""
        if self.size is not None:
            return parse_size(self.size)
        return (DEFAULT_TOKENS if self.tokens is None else self.tokens) * BYTES_PER_TOKEN

    @property
    def label(self) -> str:
        """The budget as people write it."""
        return self.size if self.size is not None else f"{self.tokens or DEFAULT_TOKENS:,} tokens"


def _expand(value: Any) -> Any:
    if isinstance(value, bool):
        return {"enabled": value}
    if isinstance(value, int) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        return {"tokens": value}
    return {"size": value} if isinstance(value, str) else value


BudgetSetting = Annotated[
    BudgetSpec | None, BeforeValidator(_expand, json_schema_input_type=BudgetSpec | bool | int | str | None)
]
"""The value of `x-budget`; None in a tool is that of its exposer."""
