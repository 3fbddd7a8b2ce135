"""The position of a call among the pages that links lead to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final


class PagePosition:
    """The link to the page to request, and the request target of the page that contained it.

    A consumer that follows links sets `target` when it has resolved the target of a request, retries included.
    """

    __slots__ = ("base", "link", "target")

    def __init__(self) -> None:
        self.link: str | None = None
        self.base = ""
        self.target = ""

    def advance(self, link: str) -> None:
        """Move to the page that a link of the current page leads to."""
        self.base, self.link = self.target, link


PAGE_POSITION: Final[ContextVar[PagePosition | None]] = ContextVar("adapter_host_page_position", default=None)
"""The position of the current call; None for a call that follows no links."""
