"""The exposer of approval pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter_host import BuildContext, HttpExposer, Operations, curl

from .approvals import Approvals
from .config import ApprovalConfig
from .pages import ServedPages

if TYPE_CHECKING:
    from aiohttp import web


class ApprovalExposer(HttpExposer[ApprovalConfig]):
    """Serves the pages where people approve the calls of the document.

    Its `authentication` is that of these people. Without one, only the one-time links in the log of the host decide.
    """

    config_class = ApprovalConfig

    def __init__(self, config: ApprovalConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.is_open = config.authentication is None
        self._pages = ServedPages.of(context)
        self._approvals = Approvals.of(context)

    def url_of(self, approval_id: str) -> str | None:
        """Return the URL of the page of an approval."""
        return None if self.public_url is None else f"{self.public_url.rstrip('/')}/{approval_id}"

    def build_app(self) -> web.Application:
        """Return the application that serves the pages."""
        # Imported here because `validate` and `inspect` do not need aiohttp.
        from .service import build_app

        self._pages.add(self._approvals.document, self)
        return build_app(self._approvals, is_open=self.is_open)

    async def stop(self) -> None:
        """Let calls name these pages no more."""
        self._pages.remove(self._approvals.document, self)

    def usage(self, url: str) -> str:
        """Return a curl command for the list of the calls that wait."""
        return curl(f"{url.rstrip('/')}/", self.config.authentication)
