"""The approval pages that are served: where a call can be approved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from adapter_host import BuildContext

_STATE: Final = "adapter_host_approval.pages"


class ApprovalPages(Protocol):
    """The pages of one exposer; `is_open` means that people need a one-time link, in place of credentials."""

    is_open: bool

    def url_of(self, approval_id: str) -> str | None:
        """Return the URL of a page; None if the URL of the exposer is unknown."""


@dataclass(slots=True)
class ServedPages:
    """The exposers that serve pages, by the document that they are in; a reload adds the new one first."""

    by_document: dict[str, list[ApprovalPages]] = field(default_factory=dict)

    @classmethod
    def of(cls, context: BuildContext) -> ServedPages:
        """Return those of a host."""
        return context.shared_state(_STATE, cls)

    def add(self, document: str, pages: ApprovalPages) -> None:
        """Add the pages of an exposer that is about to serve."""
        self.by_document.setdefault(document, []).append(pages)

    def remove(self, document: str, pages: ApprovalPages) -> None:
        """Remove the pages of an exposer that has stopped."""
        remaining = [each for each in self.by_document.get(document, ()) if each is not pages]
        self.by_document[document] = remaining

    def find(self, document: str) -> ApprovalPages | None:
        """Return the pages for the calls of a document; None if it serves none."""
        return next(reversed(self.by_document.get(document, ())), None)
