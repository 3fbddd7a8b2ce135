"""The model of `x-pagination`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from adapter_host.expressions.jsonpath import compile_path
from adapter_host.expressions.replacing import path_names

from .model import Model

PAGINATION: Final = "x-pagination"
"""The key of a consumed operation whose responses are pages of a list, a `PaginationSpec`."""


class PageSizeSpec(Model):
    """The input for the number of items of a page, and the number to request."""

    input: str
    value: int = Field(ge=1, le=10_000)


class PaginationSpec(Model):
    """How an API splits the items of an operation into pages, and the bounds of reading them. Times are in seconds.

    `items`, `next`, `more` and `total` are places in a response, `until` is one in an item. `input` carries the
    cursor, the number of the page or the offset. `limit_input` and `until_input` are the inputs of callers.
    """

    form: Literal["link", "cursor", "page", "offset"]
    items: str = "$"
    next: str | None = None
    input: str | None = None
    start: int | None = Field(None, ge=0)
    page_size: PageSizeSpec | None = None
    more: str | None = None
    total: str | None = None
    until: str | None = None
    limit_input: str = Field("limit", min_length=1)
    until_input: str = Field("until", min_length=1)
    max_items: int = Field(10_000, ge=1, le=1_000_000)
    max_pages: int = Field(100, ge=1, le=1_000)
    max_time: float = Field(60.0, gt=0, le=3_600, allow_inf_nan=False)
    read_only: bool = False

    @field_validator("items", "next", "more", "total", "until")
    @classmethod
    def _check_path(cls, path: str | None) -> str | None:
        if path is not None:
            compile_path(path)
        return path

    @field_validator("items")
    @classmethod
    def _check_items(cls, path: str) -> str:
        if path_names(path) is None:
            raise ValueError("'items' must be a path of names, such as $.data.items, as the items are put back there")
        return path

    @model_validator(mode="after")
    def _check_form(self) -> PaginationSpec:
        if self.form == "link" and self.input is not None:
            raise ValueError("the form 'link' has no 'input'; remove it, or use the form 'cursor'")
        if self.form != "link" and self.input is None:
            raise ValueError(f"the form '{self.form}' needs the 'input' that selects the page")
        if self.form == "cursor" and self.next is None:
            raise ValueError("the form 'cursor' needs 'next', the place of the next cursor in the response")
        for key, forms in (("next", ("link", "cursor")), ("total", ("page", "offset")), ("start", ("page", "offset"))):
            if getattr(self, key) is not None and self.form not in forms:
                raise ValueError(f"the form '{self.form}' has no '{key}'; remove it")
        return self
